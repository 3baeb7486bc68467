//! SARM's reward-aligned behaviour cloning: imitate the steps that made progress.
//!
//! With `d` the progress made during a step, `mu = max(mean d, 0)`, `sigma = max(std d, 1e-6)` (population):
//! the weight is 1 where `d > kappa`, 0 where `d < 0`, and between them
//! `clip((d - (mu - 2 sigma)) / (4 sigma + 1e-6), 0, 1)`; a step without a progress estimate weighs 1. The loss
//! is `sum w e / (sum w + 1e-6)`, with `e` the imitation loss of the step.

use meed_operators::Result;
use meed_operators::objectives::regression::{Errors, weighted_regression};
use meed_operators::objectives::{Columns, Loss, Objective, exact};

use crate::objectives::NamedObjective;
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("kappa", "0.01", "progress from which a step weighs 1"),
    parameter("mean", "null", "mean progress of the dataset; null: of the batch"),
    parameter("std", "null", "population deviation of the progress in the dataset; null: of the batch"),
];

/// Added to the sum of weights and to `4 sigma`, and the least `sigma`.
const EPS: f64 = 1e-6;

/// RA-BC. Reads the signal `step_progress_deltas` (NaN: not known), and `step_errors` as imitation losses where
/// the batch has it, else the mean of `-logp` over the step's tokens.
pub const SARM: NamedObjective = NamedObjective {
    name: "sarm",
    title: "imitation weighted by the progress of each step",
    citation: "SARM; lerobot RABCWeights",
    formula: "sum w e / (sum w + 1e-6), w from the progress of the step",
    parameters: &[PARAMETERS],
    build,
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equations of the released weights; reconstructed for language: a step is the sample, \
                            its loss the mean of -logp, and mean and deviation are the batch's unless given";

/// Weights of steps from their progress.
pub fn progress_weights(deltas: &[f64], kappa: f64, mean: Option<f64>, std: Option<f64>) -> Vec<f64> {
    let known: Vec<f64> = deltas.iter().copied().filter(|delta| !delta.is_nan()).collect();
    let count = known.len().max(1) as f64;
    let centre = mean.unwrap_or_else(|| exact(known.iter().copied()) / count);
    let deviation =
        std.unwrap_or_else(|| (exact(known.iter().map(|delta| (delta - centre).powi(2))) / count).sqrt());
    let (mu, sigma) = (centre.max(0.0), deviation.max(EPS));
    let weight = |delta: &f64| match *delta {
        delta if delta.is_nan() || delta > kappa => 1.0,
        delta if delta < 0.0 => 0.0,
        delta => ((delta - (mu - 2.0 * sigma)) / (4.0 * sigma + EPS)).clamp(0.0, 1.0),
    };
    deltas.iter().map(weight).collect()
}

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    Ok(Box::new(Sarm {
        kappa: parameters.number("kappa")?,
        mean: parameters.optional_number("mean")?,
        std: parameters.optional_number("std")?,
    }))
}

struct Sarm {
    kappa: f64,
    mean: Option<f64>,
    std: Option<f64>,
}

impl Objective for Sarm {
    fn name(&self) -> &str {
        "sarm"
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        columns.check()?;
        let steps = columns.step_ranges()?;
        let deltas = columns.step_signal("step_progress_deltas")?;
        let errors = Errors::of(columns, "step_errors", steps.len())?;
        let samples: Vec<usize> =
            (0..steps.len()).filter(|&step| errors.has(columns, &steps[step])).collect();
        let deltas: Vec<f64> = samples.iter().map(|&step| deltas[step]).collect();
        let weights = progress_weights(&deltas, self.kappa, self.mean, self.std);
        let sum = exact(weights.iter().copied());
        let mut shares = vec![0.0; steps.len()];
        for (&step, weight) in samples.iter().zip(&weights) {
            shares[step] = weight / (sum + EPS);
        }
        let mut loss = Loss::zero(columns);
        weighted_regression(columns, &steps, &shares, &errors, &mut loss);
        loss.part("mean_weight", sum / samples.len().max(1) as f64);
        Ok(loss)
    }
}
