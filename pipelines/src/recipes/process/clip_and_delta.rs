//! Clip and Delta: process rewards bounded from above, and differenced so that steps do not pay.

use meed_operators::credit::{TOKEN, signal, value, when};

use super::inputs::{STEP_REWARDS, TOKEN_VALUES};
use crate::parameters::{Parameter, parameter};
use crate::parts::dense::{ESTIMATE, estimated};
use crate::parts::steps::{is_last_step, judged};
use crate::parts::whitening::{WHITEN_OFF, WHITENING};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("alpha", "0.02", "coefficient of process rewards"),
    parameter("eta", "0.6", "bound of Clip, min(r - eta, 0); null: no Clip"),
    parameter("delta", "true", "each step is paid what it loses to the next one"),
    parameter(
        "last_step",
        "excluded",
        "the step with the final answer: excluded (no process reward), counted",
    ),
];

/// Clip: `r_k = min(p_k - eta, 0)`. Delta: `r_k = p_k - p_{k+1}`, with `p_K = 0` as the last step holds the
/// answer. By default Clip, then Delta; the return from step `k` is then `alpha * r_k + outcome`, so that
/// adding steps gains nothing.
///
/// Rewards land on the last token of their step, the outcome on the last token. A single step has no process
/// reward, a rollout without steps its outcome only.
pub const CLIP_AND_DELTA: Recipe = Recipe {
    name: "clip_and_delta",
    title: "process rewards clipped from above and differenced, beside the outcome",
    citation: "Gao et al. 2024, On Designing Effective RL Reward at Training Time, arXiv 2410.15115",
    family: "process",
    objective: ("ppo_clip", &[("value_coef", "0.5")]),
    formula: "c_k = min(p_k - eta, 0), c_K = 0; r_k = c_k - c_{k+1}; A = GAE(alpha * r + outcome)",
    fidelity: Fidelity::Equations,
    deviations: "alpha and eta are not published: 0.02 and 0.6 are guesses",
    inputs: &[&[STEP_REWARDS, TOKEN_VALUES]],
    parameters: &[PARAMETERS, ESTIMATE, &[WHITEN_OFF], WHITENING],
    plan: |parameters| {
        let score = signal("step_rewards");
        let clipped = match parameters.optional_number("eta")? {
            Some(eta) => (score.clone() - eta).min(0.0),
            None => score.clone(),
        };
        let counted = match parameters.text("last_step")? {
            "excluded" => when(is_last_step(), 0.0, clipped),
            "counted" => clipped,
            _ => return Err(parameters.unknown("last_step", &["excluded", "counted"])),
        };
        let shaped = match parameters.boolean("delta")? {
            true => counted.clone() - counted.shift(-1, Some(value(0.0))),
            false => counted,
        };
        let process = parameters.number("alpha")? * signal("step_shaped_rewards").at_last(TOKEN);
        let credit = judged([score]).define("step_shaped_rewards", shaped);
        Ok(estimated(parameters, credit, process + signal("reward").at_last(TOKEN))?.into())
    },
    ..ADVANTAGE
};
