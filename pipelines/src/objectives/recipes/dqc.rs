//! DQC's losses: a critic of chunks, a critic of their first actions that is distilled from it, and a value.
//!
//! All three are logits of values in `0..=1`. The chunk critic has the cross-entropy with its target; the other two
//! follow a target that is held fixed, with weight `kappa` where it is at least as great as they are and `1 - kappa`
//! where it is not: of the cross-entropy (expectile) or of the distance of logits (quantile).

use meed_operators::Result;
use meed_operators::objectives::preference::{cross_entropy, logistic};
use meed_operators::objectives::{Columns, Loss, Objective, exact};

use crate::objectives::NamedObjective;
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("kappa_d", "0.5", "of the distilled critic; above 1/2 it is judged by the best completion"),
    parameter("kappa_b", "0.9", "of the value"),
    parameter("distill", "expectile", "loss of the distilled critic: expectile or quantile"),
    parameter("backup", "quantile", "loss of the value: expectile or quantile"),
];

/// The sum of the three losses, each a mean over the steps that have its target.
///
/// Reads per step `step_chunk_logits` with `step_chunk_targets` (NaN: none, as the recipe `dqc` gives it),
/// `step_action_logits`, and `step_value_logits` with `step_action_targets`, the mean or least value of the slow copies
/// of the action critics (NaN: none). `step_action_valid` is 0 where the last action that the distilled critic sees is
/// beyond the end; without it all are valid.
pub const DQC: NamedObjective = NamedObjective {
    name: "dqc",
    title: "losses of a chunk critic, the action critic distilled from it, and the value",
    citation: "Li et al. 2025, Decoupled Q-Chunking, arXiv 2512.10926; ColinQiyangLi/dqc",
    formula: "BCE(Q_h, y) + w_d BCE(Q_1, sigmoid(Q_h)) + w_b |V - logit(q)|",
    parameters: &[PARAMETERS],
    build,
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equations of the released losses; the sum of the three with weight 1 is a guess, each is a \
                            mean over the steps that have its target, where the code divides that of the distilled \
                            critic by all steps, and the actor, which clones behaviour, is left out";

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Expectile,
    Quantile,
}

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let form = |name: &str| match parameters.text(name)? {
        "expectile" => Ok(Form::Expectile),
        "quantile" => Ok(Form::Quantile),
        _ => Err(parameters.unknown(name, &["expectile", "quantile"])),
    };
    Ok(Box::new(Dqc {
        distill: (form("distill")?, parameters.number("kappa_d")?),
        backup: (form("backup")?, parameters.number("kappa_b")?),
    }))
}

struct Dqc {
    distill: (Form, f64),
    backup: (Form, f64),
}

/// Targets this near to 0 or 1 have no larger logit.
const LEAST: f64 = 1e-5;

/// The loss of a logit that follows a target value, and its derivative.
fn follow((form, kappa): (Form, f64), logit: f64, target: f64) -> (f64, f64) {
    let weight = if target >= logistic(logit) { kappa } else { 1.0 - kappa };
    let (loss, slope) = match form {
        Form::Expectile => cross_entropy(logit, target),
        Form::Quantile => {
            let target = target.clamp(LEAST, 1.0 - LEAST);
            let distance = logit - (target / (1.0 - target)).ln();
            (distance.abs(), if distance == 0.0 { 0.0 } else { distance.signum() })
        }
    };
    (weight * loss, weight * slope)
}

impl Objective for Dqc {
    fn name(&self) -> &str {
        "dqc"
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        columns.check()?;
        let ranges = columns.step_ranges()?;
        let signal = |name: &str| columns.step_signal(name);
        let (chunk, target) = (signal("step_chunk_logits")?, signal("step_chunk_targets")?);
        let (action, value, backup) =
            (signal("step_action_logits")?, signal("step_value_logits")?, signal("step_action_targets")?);
        let valid = match columns.signals.contains_key("step_action_valid") {
            true => Some(signal("step_action_valid")?),
            false => None,
        };
        let acts: Vec<usize> =
            (0..ranges.len()).filter(|&step| ranges[step].clone().any(|t| columns.mask[t])).collect();
        let mut loss = Loss::zero(columns);
        let mut add =
            |name: &str, signal: &str, has: &dyn Fn(usize) -> bool, of: &dyn Fn(usize) -> (f64, f64)| {
                let steps: Vec<usize> = acts.iter().copied().filter(|&step| has(step)).collect();
                let share = 1.0 / steps.len().max(1) as f64;
                let mean = share * exact(steps.iter().map(|&step| of(step).0));
                let mut slopes = vec![0.0; ranges.len()];
                steps.iter().for_each(|&step| slopes[step] = share * of(step).1);
                loss.value += mean;
                loss.part(name, mean);
                loss.signals.insert(signal.to_owned(), slopes);
            };
        add("chunk_loss", "step_chunk_logits", &|step| !target[step].is_nan(), &|step| {
            cross_entropy(chunk[step], target[step])
        });
        add(
            "action_loss",
            "step_action_logits",
            &|step| valid.is_none_or(|valid| valid[step] != 0.0),
            &|step| follow(self.distill, action[step], logistic(chunk[step])),
        );
        add("value_loss", "step_value_logits", &|step| !backup[step].is_nan(), &|step| {
            follow(self.backup, value[step], backup[step])
        });
        Ok(loss)
    }
}
