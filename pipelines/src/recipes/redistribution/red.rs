//! RED: the reward model's score of a response, redistributed to the tokens by its scores of prefixes.

use meed_operators::credit::{Credit, ROLLOUT, Reduction, TOKEN, difference, mask, signal, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::dense::{ESTIMATE, estimated};
use crate::parts::whitening::{WHITEN_OFF, WHITENING};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const SCORED: &str = "read the reward model out at every token of the response, or import";

const INPUTS: &[Input] = &[
    input("token_prefix_scores", Of::Number, "score of the response up to and with the token", SCORED),
    input("prompt_score", Of::Number, "score of the empty response", SCORED),
];

const PARAMETERS: &[Parameter] = &[parameter(
    "alpha",
    "1.0",
    "share of the redistributed reward; the rest is the score of the whole response on its last token",
)];

/// RED: `r_t = alpha (RM(y_<=t) - RM(y_<t)) + (1 - alpha) RM(y) 1[t = T]`, then GAE.
///
/// The differences sum to the score of the whole response less that of the empty one. Between trainable tokens
/// what the environment's tokens change is part of the next difference.
pub const RED: Recipe = Recipe {
    name: "red",
    title: "token rewards as differences of the reward model's scores of prefixes",
    citation: "RED, arXiv 2411.08302",
    family: "redistribution",
    objective: ("ppo_clip", &[("value_coef", "0.5")]),
    formula: "r_t = alpha (RM(y_<=t) - RM(y_<t)) + (1 - alpha) RM(y) 1[t = T] - kl; A = GAE(r)",
    fidelity: Fidelity::Reconstructed,
    deviations: "read from the abstract and notes: alpha, and the critic's settings, are guesses",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, ESTIMATE, &[WHITEN_OFF], WHITENING],
    plan: |parameters| {
        let alpha = parameters.number("alpha")?;
        let scores = || signal("token_prefix_scores");
        let whole = scores().reduce(ROLLOUT, Reduction::Last).at_last(TOKEN);
        let gained = when(mask(), signal("token_score_gains"), 0.0);
        let credit =
            Credit::new().define("token_score_gains", difference(scores(), Some(signal("prompt_score"))));
        Ok(estimated(parameters, credit, alpha * gained + (1.0 - alpha) * whole)?.into())
    },
    ..ADVANTAGE
};
