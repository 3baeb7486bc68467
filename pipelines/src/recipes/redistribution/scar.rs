//! SCAR: the Shapley value of each span of a response as its reward.

use meed_operators::credit::{Credit, TOKEN, signal};

use crate::inputs::{Input, Of, items};
use crate::parameters::{Parameter, parameter};
use crate::parts::coalitions::{COALITION_INPUTS, COALITIONS, shapley_values};
use crate::parts::dense::{ESTIMATE, estimated};
use crate::parts::whitening::{WHITEN_OFF, WHITENING};
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};

const INPUTS: &[Input] = &[items(
    "span_ends",
    Of::Count,
    "exclusive token offsets of the spans of the response",
    "cut the response into spans, such as clauses, and score texts of some of them with the reward model",
)];

const PARAMETERS: &[Parameter] = &[parameter(
    "alpha",
    "1.0",
    "share of the redistributed reward; the rest is the reward on the last token",
)];

/// SCAR: `r_t = phi_i` at the last token of span `i`, then GAE, where `v(S)` is the reward model's score of the
/// text that has the spans `S` only.
///
/// The rewards sum to the score of the whole response less that of the empty one.
pub const SCAR: Recipe = Recipe {
    name: "scar",
    title: "Shapley values of spans as rewards at their ends",
    citation: "SCAR: Shapley Credit Assignment Rewards, arXiv 2505.20417",
    family: "redistribution",
    objective: ("ppo_clip", &[("value_coef", "0.5")]),
    formula: "r_t = alpha sum_i phi_i 1[t = end of i] + (1 - alpha) R 1[t = T]; A = GAE(r)",
    fidelity: Fidelity::Reconstructed,
    deviations: "read from the abstract: spans come with the data; Owen values of nested spans, by which the paper has fewer coalitions, are not computed; alpha and the critic's settings are guesses",
    inputs: &[INPUTS, COALITION_INPUTS],
    parameters: &[PARAMETERS, COALITIONS, ESTIMATE, &[WHITEN_OFF], WHITENING],
    plan: |parameters| {
        let alpha = parameters.number("alpha")?;
        let mut rewards = alpha * signal("span_shapley_values").at_last(TOKEN);
        if alpha != 1.0 {
            rewards = rewards + (1.0 - alpha) * signal("reward").at_last(TOKEN);
        }
        let credit = estimated(parameters, Credit::new(), rewards)?;
        Ok(Plan { operators: vec![shapley_values(parameters, "span_ends")?], ..credit.into() })
    },
    ..ADVANTAGE
};
