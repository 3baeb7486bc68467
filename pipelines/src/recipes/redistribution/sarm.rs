//! SARM: weights of imitation from the progress that each step made.

use meed_operators::credit::{
    Credit, ROLLOUT, Reduction, batch, mean, members, signal, std, sum, value, when,
};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::steps::is_last_step;
use crate::recipe::{Fidelity, Recipe, SELECTION};

const INPUTS: &[Input] = &[input(
    "step_progress",
    Of::Share,
    "progress of the task at the step: the shares of the stages before it, and its position in its stage times the stage's share",
    "a stage-aware reward model: its predicted stage and the position in it",
)];

const PARAMETERS: &[Parameter] = &[
    parameter("ahead", "50", "steps that a chunk of actions covers; near the end those that are left"),
    parameter("kappa", "0.01", "progress above which a step weighs 1"),
];

/// SARM: with `d` the progress over the next steps, `mu = max(mean d, 0)` and `sigma = max(std d, 1e-6)` over the
/// batch, a step weighs 1 where `d > kappa`, 0 where `d < 0`, and between them
/// `clip((d - (mu - 2 sigma)) / (4 sigma + 1e-6), 0, 1)`; where its progress is not known, 1.
///
/// `step_weights` are scaled to a mean of 1, as the loss of a batch of steps has them. The objective `sarm` makes the
/// same weights of `step_progress_deltas`.
pub const SARM: Recipe = Recipe {
    name: "sarm",
    title: "imitation weights from the progress of each step",
    citation: "SARM: Stage-Aware Reward Modeling for Long Horizon Robot Manipulation; lerobot RABCWeights",
    family: "redistribution",
    objective: ("sarm", &[]),
    formula: "w = 1 if d > kappa, 0 if d < 0, else clip((d - (mu - 2 sigma)) / (4 sigma), 0, 1)",
    fidelity: Fidelity::Equations,
    deviations: "mean and deviation are those of the iteration, where the code takes the whole dataset's",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let (progress, delta) = (|| signal("step_progress"), || signal("step_progress_deltas"));
        let ahead = i64::from(parameters.small("ahead")?);
        // Of the last step alone: where it is not known, it is not that of a step before.
        let end =
            (progress() + value(0.0).null_if(is_last_step().negated())).reduce(ROLLOUT, Reduction::Last);
        let (mu, sigma) = (mean(delta(), batch()).max(0.0), std(delta(), batch(), 0).max(1e-6));
        let soft = (delta() - (mu - 2.0 * sigma.clone())) / (4.0 * sigma + 1e-6);
        let between = when(delta().less(0.0), 0.0, soft.clamp(0.0, 1.0));
        let weight = || signal("step_raw_weights");
        Ok(Credit::new()
            .define("step_progress_deltas", progress().shift(-ahead, Some(end)) - progress())
            .define(
                "step_raw_weights",
                when(delta().greater(parameters.number("kappa")?), 1.0, between).or_else(1.0),
            )
            .define("step_weights", weight() * members(weight(), batch()) / (sum(weight(), batch()) + 1e-6))
            .into())
    },
    ..SELECTION
};
