//! WebSTAR: imitation of the steps that a judge finds good, of whatever trajectory.

use meed_operators::credit::{Credit, signal, value, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "step_scores",
    Of::Number,
    "the judge's expected value of each step, 0 (certain failure) to 10 (certain success); null where it gave none",
    "a judge that sees the task, the history and the action; a step reward model distilled from it",
)];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "filter",
        "steps",
        "steps: keep a step by its value; trajectories: keep all steps of a rollout that succeeded",
    ),
    parameter("threshold", "5", "steps of a greater value are kept"),
    parameter("success", "0.5", "rollouts of a greater reward have succeeded"),
];

/// WebSTAR: a step has weight 1 where its value is above the threshold, else 0, and every token advantage 1; steps
/// that are not kept stay in the context.
///
/// fidelity: reconstructed: the grading is the authors' program, the threshold that which their prompt implies. A
/// step without a readable value is not trained on.
pub const WEBSTAR: Recipe = Recipe {
    name: "webstar",
    title: "imitation of the steps that a judge values above a threshold",
    citation: "WebSTAR, arXiv 2512.10962; yifei-he/CUAStepFiltering",
    family: "actions",
    objective: ("negative_log_likelihood", &[]),
    formula: "weight_k = [value_k > 5], A = 1",
    fidelity: Fidelity::Reconstructed,
    deviations: "guessed: the threshold of the training filter",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let kept = match parameters.text("filter")? {
            "steps" => {
                let good = signal("step_scores").greater(parameters.number("threshold")?);
                good.or_else(value(1.0).equals(0.0))
            }
            "trajectories" => signal("reward").greater(parameters.number("success")?),
            _ => return Err(parameters.unknown("filter", &["steps", "trajectories"])),
        };
        let credit = Credit::new().define("kept", kept).weights(when(signal("kept"), 1.0, 0.0));
        Ok(credit.advantage(value(1.0)).into())
    },
    ..ADVANTAGE
};
