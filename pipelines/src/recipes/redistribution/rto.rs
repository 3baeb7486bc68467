//! RTO: token rewards from a DPO policy, beside the reward model's score on the last token.

use meed_operators::credit::{Credit, TOKEN, mask, signal, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::dense::{ESTIMATE, estimated};
use crate::parts::divergence::log_ratio;
use crate::parts::whitening::{WHITEN_OFF, WHITENING};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "token_dpo_logprobs",
    Of::Number,
    "log-probability under a policy that was trained by DPO",
    "score the rollouts under the DPO policy with `judge`, or import",
)];

const PARAMETERS: &[Parameter] = &[
    parameter("dpo_coef", "0.05", "beta_1: coefficient of the log-ratio of the DPO policy"),
    parameter("dpo_clip", "0.05", "most that a token earns by it, either way"),
    parameter("divergence_coef", "0.01", "beta_2: coefficient of the policy's own log-ratio, a penalty"),
    parameter("reward_clip", "10", "most that the reward of the response counts, either way"),
];

/// RTO: `r_t = clip(b1 (log pi_dpo - log pi_ref)) - b2 (log pi - log pi_ref) + clip(R) 1[t = T]`, then GAE.
pub const RTO: Recipe = Recipe {
    name: "rto",
    title: "token rewards from a DPO policy beside the reward of the response",
    citation: "RTO, arXiv 2404.18922; zkshan2002/RTO",
    family: "redistribution",
    objective: ("ppo_clip", &[("value_coef", "0.5")]),
    formula: "r_t = clip(b1 log(pi_dpo / pi_ref)) - b2 log(pi / pi_ref) + clip(R) 1[t = T]; A = GAE(r)",
    fidelity: Fidelity::Equations,
    deviations: "",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, ESTIMATE, &[WHITEN_OFF], WHITENING],
    plan: |parameters| {
        let (bound, most) = (parameters.number("dpo_clip")?, parameters.number("reward_clip")?);
        let implicit = signal("token_dpo_logprobs") - signal("token_ref_logprobs");
        let implicit = (parameters.number("dpo_coef")? * implicit).clamp(-bound, bound);
        let dense = implicit - parameters.number("divergence_coef")? * log_ratio();
        let outcome = signal("reward").clamp(-most, most).at_last(TOKEN);
        Ok(estimated(parameters, Credit::new(), when(mask(), dense, 0.0) + outcome)?.into())
    },
    ..ADVANTAGE
};
