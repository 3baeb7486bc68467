//! PPR: process scores of turns, shifted by the outcome so that only both together pay.

use meed_operators::credit::{TOKEN, signal};

use super::inputs::{STEP_REWARDS, TOKEN_VALUES};
use crate::parameters::{Parameter, parameter};
use crate::parts::dense::{ESTIMATE, estimated};
use crate::parts::steps::judged;
use crate::parts::whitening::{WHITEN_OFF, WHITENING};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("shift", "1.0", "what the sum of process score and outcome loses"),
    parameter(
        "unparsed",
        "null",
        "score of a step whose judgement could not be read, 0.5 being neutral; null: the rollout is not trained on",
    ),
];

/// PPR's ReNorm: `r_k = p_k + r_o - 1` on the last token of each policy step, with `p_k` and `r_o` in
/// `0..=1`. A good step is about neutral where the outcome is wrong.
///
/// The step with the answer is rewarded as any other; the outcome has no token of its own, and a rollout
/// without steps earns nothing. Every step shifts the return by `r_o - 1`, which a critic learns.
pub const PPR: Recipe = Recipe {
    name: "ppr",
    title: "process scores shifted by the outcome, as rewards of turns for a critic",
    citation: "Xu et al. 2025, Hybrid Reward Normalization, arXiv 2509.25598",
    family: "process",
    objective: ("ppo_clip", &[("value_coef", "0.5")]),
    formula: "r_k = p_k + r_o - 1; A = GAE(r)",
    fidelity: Fidelity::Reconstructed,
    deviations: "read from the abstract and reviews: where rewards land, the step with the answer, gamma and lambda 1 are guesses",
    inputs: &[&[STEP_REWARDS, TOKEN_VALUES]],
    parameters: &[PARAMETERS, ESTIMATE, &[WHITEN_OFF], WHITENING],
    plan: |parameters| {
        let score = match parameters.optional_number("unparsed")? {
            Some(score) => signal("step_rewards").or_else(score),
            None => signal("step_rewards"),
        };
        let shaped = score.clone() + signal("reward") - parameters.number("shift")?;
        let credit = judged([score]).define("step_shaped_rewards", shaped);
        Ok(estimated(parameters, credit, signal("step_shaped_rewards").at_last(TOKEN))?.into())
    },
    ..ADVANTAGE
};
