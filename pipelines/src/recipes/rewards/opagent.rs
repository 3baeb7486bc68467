//! OpAgent: the verdict on a web task, with the progress that rules see in its steps.

use meed_operators::credit::{Credit, Reduction, signal};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::GROUP;
use crate::parts::shaped::{complete, credit_of};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "step_progress",
    Of::Share,
    "progress of the step by the decision tree of the site's rules",
    "a judge that runs the rules on every step",
)];

const PARAMETERS: &[Parameter] = &[
    parameter("progress_weight", "0.5", "weight of the mean progress of the steps"),
    parameter(
        "without_verdict",
        "left_out",
        "a rollout whose reward is null: left_out, progress (it has that alone)",
    ),
];

/// OpAgent: `R = r + w mean_t progress_t` with `r` the verdict of a judge of web tasks, compared in the group.
pub const OPAGENT: Recipe = Recipe {
    name: "opagent",
    title: "the verdict on a web task plus the mean progress of its steps",
    citation: "OpAgent: Operator Agent for Web Navigation, arXiv 2602.13559",
    family: "rewards",
    formula: "R = r + w mean_t progress_t",
    fidelity: Fidelity::Reconstructed,
    deviations: "read from the abstract; guessed: the sum, the weight, the comparison in the group, that a rollout without a verdict is left out",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let progress = complete(signal("step_progress"), Reduction::Mean, None);
        let verdict = match parameters.text("without_verdict")? {
            "left_out" => signal("reward"),
            "progress" => signal("reward").or_else(0.0),
            _ => return Err(parameters.unknown("without_verdict", &["left_out", "progress"])),
        };
        let shaped = verdict + parameters.number("progress_weight")? * signal("progress");
        Ok(credit_of(parameters, Credit::new().define("progress", progress), shaped)?.into())
    },
    ..ADVANTAGE
};
