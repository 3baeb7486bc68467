//! PIT: how much better a response is than the one that it was asked to improve.

use meed_operators::credit::{Credit, signal};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::GROUP;
use crate::parts::shaped::{BASELINE, credit_of};
use crate::parts::stages::staged;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    input(
        "gap_reward",
        Of::Number,
        "how much better the response is than its reference, by the gap reward model",
        "a reward model of two responses that is trained with the objective `pit`",
    ),
    input(
        "reference_from_policy",
        Of::Flag,
        "whether the response to be improved is the policy's own; read with stage_two",
        "the sampler, or an import that carries it",
    ),
];

const PARAMETERS: &[Parameter] = &[parameter(
    "stage_two",
    "null",
    "iteration from which only references of the policy's own count, before it only those of the data; null: all count",
)];

/// PIT: `E[r(x, y, y_ref) - beta KL]` with `r` the gap reward: the response is compared with its reference, first with
/// easy ones (rejected responses of the data), then with the policy's own.
pub const PIT: Recipe = Recipe {
    name: "pit",
    title: "reward by the gap to a reference response, easy references first",
    citation: "Wang et al. 2023, Enable Language Models to Implicitly Learn Self-Improvement From Data, arXiv 2310.00898",
    family: "rewards",
    objective: ("ppo_clip", &[("kl", r#"{"coef": 0.05}"#)]),
    formula: "r = gap(x, y, y_ref) - beta KL",
    fidelity: Fidelity::Equations,
    deviations: "guessed: beta and when the second stage begins; the advantage is GRPO's, baseline=none gives the gap itself",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, BASELINE, GROUP],
    plan: |parameters| {
        let credit = staged(parameters, Credit::new(), "stage_two", signal("reference_from_policy"))?;
        Ok(credit_of(parameters, credit, signal("gap_reward"))?.into())
    },
    ..ADVANTAGE
};
