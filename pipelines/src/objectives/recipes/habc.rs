//! HABC: imitate own steps that kept the episode viable and brought it forward, and all demonstrations.
//!
//! Two critics of states: a viability logit `z` (`p = sigmoid(z)`) and an efficiency `V`, minus the steps to go.
//!
//! - `A_z = z(s') - z(s)`, `A_V = -1 + V(s') - V(s)` with `V(s') = 0` at the end;
//! - `g = 1 + tanh((1 - p) A_z + p A_V)`; raw weight: `g` for own steps of successful episodes, 0 for those of
//!   failed ones, 1 for demonstrations and interventions; the weight is raw over the mean of the raw weights
//!   that are not 0;
//! - the loss is the mean over steps of weight times imitation loss; beside it, viability by
//!   cross-entropy with the outcome, efficiency by Huber's loss to 0 at the end, else `-1 + V(s')`.

use meed_operators::Result;
use meed_operators::credit::ExactSum;
use meed_operators::objectives::preference::{cross_entropy, logistic};
use meed_operators::objectives::regression::{Errors, weighted_regression};
use meed_operators::objectives::{Columns, ErrorLoss, Loss, Objective, exact};

use crate::objectives::NamedObjective;
use crate::parameters::{Parameter, parameter};

const PARAMETERS: &[Parameter] =
    &[parameter("huber_delta", "1", "where Huber's loss of the efficiency becomes linear")];

/// The least mean of raw weights.
const EPS: f64 = 1e-8;

/// HABC. Reads the signals `step_viability`, `step_next_viability`, `step_efficiency`, `step_next_efficiency`,
/// `step_dones` and `step_autonomous` (0: a demonstration or an intervention) of each step, and the reward of
/// each rollout (above 0: success). `step_errors` are imitation losses where the batch has them, else the
/// mean of `-logp` over the step's tokens. The value is that of the policy.
pub const HABC: NamedObjective = NamedObjective {
    name: "habc",
    title: "imitation weighted by the advantages of a viability and an efficiency critic",
    citation: "Hierarchical Advantage Weighting, arXiv 2606.17043",
    formula: "mean w e, w ~ 1 + tanh((1 - p) A_viability + p A_efficiency)",
    parameters: &[PARAMETERS],
    build: |parameters| Ok(Box::new(Habc { huber_delta: parameters.number("huber_delta")? })),
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equations; guessed: V(s') = 0 at the end, the floor 1e-8 of the mean weight, and that \
                            own steps after the last intervention carry the outcome label";

/// `1 + tanh((1 - p) A_z + p A_V)`.
pub fn gate(viability: f64, next_viability: f64, efficiency: f64, next_efficiency: f64) -> f64 {
    let p = logistic(viability);
    let (by_viability, by_efficiency) = (next_viability - viability, -1.0 + next_efficiency - efficiency);
    1.0 + ((1.0 - p) * by_viability + p * by_efficiency).tanh()
}

/// Raw weights over the mean of those that are not 0.
pub fn over_mean(raw: &[f64]) -> Vec<f64> {
    let kept: Vec<f64> = raw.iter().copied().filter(|weight| *weight != 0.0).collect();
    let mean = (exact(kept.iter().copied()) / kept.len().max(1) as f64).max(EPS);
    raw.iter().map(|weight| weight / mean).collect()
}

struct Habc {
    huber_delta: f64,
}

/// A step that trains.
struct Sample {
    step: usize,
    success: bool,
    own: bool,
    /// Whether it is of the policy, with no intervention after it in its rollout.
    labelled: bool,
    done: bool,
}

impl Objective for Habc {
    fn name(&self) -> &str {
        "habc"
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        columns.check()?;
        let steps = columns.step_ranges()?;
        let errors = Errors::of(columns, "step_errors", steps.len())?;
        let samples = samples(columns, &errors)?;
        let viability = columns.step_signal("step_viability")?;
        let next_viability = columns.step_signal("step_next_viability")?;
        let efficiency = columns.step_signal("step_efficiency")?;
        let next_efficiency = columns.step_signal("step_next_efficiency")?;
        let ahead = |sample: &Sample| if sample.done { 0.0 } else { next_efficiency[sample.step] };

        let raw = |sample: &Sample| match sample {
            Sample { own: false, .. } => 1.0,
            Sample { success: false, .. } => 0.0,
            Sample { step, .. } => {
                gate(viability[*step], next_viability[*step], efficiency[*step], ahead(sample))
            }
        };
        let weights = over_mean(&samples.iter().map(raw).collect::<Vec<_>>());
        let mut shares = vec![0.0; steps.len()];
        for (sample, weight) in samples.iter().zip(&weights) {
            shares[sample.step] = weight / samples.len() as f64;
        }
        let mut loss = Loss::zero(columns);
        weighted_regression(columns, &steps, &shares, &errors, &mut loss);
        loss.part("policy_loss", loss.value);

        let mut by_viability = vec![0.0; steps.len()];
        let labelled: Vec<&Sample> = samples.iter().filter(|sample| sample.labelled).collect();
        let mut viability_loss = ExactSum::default();
        for sample in &labelled {
            let (label, share) = (f64::from(u8::from(sample.success)), 1.0 / labelled.len() as f64);
            let (value, slope) = cross_entropy(viability[sample.step], label);
            viability_loss.add(share * value);
            by_viability[sample.step] = share * slope;
        }
        let mut by_efficiency = vec![0.0; steps.len()];
        let successful: Vec<&Sample> = samples.iter().filter(|sample| sample.success).collect();
        let mut efficiency_loss = ExactSum::default();
        for sample in &successful {
            let target = if sample.done { 0.0 } else { -1.0 + ahead(sample) };
            let huber = ErrorLoss::Huber { delta: self.huber_delta };
            let (doubled, slope) = huber.of(efficiency[sample.step] - target);
            efficiency_loss.add(doubled / (2.0 * successful.len() as f64));
            by_efficiency[sample.step] = slope / (2.0 * successful.len() as f64);
        }
        loss.part("viability_loss", viability_loss.value());
        loss.part("efficiency_loss", efficiency_loss.value());
        loss.signals.insert("step_viability".into(), by_viability);
        loss.signals.insert("step_efficiency".into(), by_efficiency);
        Ok(loss)
    }
}

fn samples(columns: &Columns, errors: &Errors) -> Result<Vec<Sample>> {
    let steps = columns.step_ranges()?;
    let (dones, autonomous) = (columns.step_signal("step_dones")?, columns.step_signal("step_autonomous")?);
    let rewards = columns.rewarded()?;
    let mut samples = Vec::new();
    for (range, reward) in columns.ranges().zip(rewards) {
        let at = |token: usize| steps.partition_point(|step| step.start < token);
        let of_rollout = (at(range.start)..at(range.end)).filter(|&step| errors.has(columns, &steps[step]));
        let first = samples.len();
        samples.extend(of_rollout.map(|step| Sample {
            step,
            success: *reward > 0.0,
            own: autonomous[step] != 0.0,
            labelled: false,
            done: dones[step] != 0.0,
        }));
        samples[first..].iter_mut().rev().take_while(|sample| sample.own).for_each(|s| s.labelled = true);
    }
    Ok(samples)
}
