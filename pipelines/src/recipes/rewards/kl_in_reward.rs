//! The divergence from a reference policy, taken off the token rewards.

use meed_operators::credit::{Credit, signal};

use crate::parameters::{Parameter, parameter};
use crate::parts::divergence::log_ratio;
use crate::recipe::{Fidelity, Kind, PPO_CLIP, Recipe};

const PARAMETERS: &[Parameter] = &[parameter("coef", "0.001", "coefficient of the divergence")];

/// `r_t - coef * (log pi - log pi_ref)_t`, on every token that has both.
pub const KL_IN_REWARD: Recipe = Recipe {
    name: "kl_in_reward",
    title: "token rewards less the divergence from the reference policy",
    citation: "Ziegler et al. 2019, arXiv 1909.08593; verl apply_kl_penalty",
    family: "rewards",
    kind: Kind::Reward,
    objective: PPO_CLIP,
    formula: "r_t - coef * (log p - log p_ref)_t",
    fidelity: Fidelity::Reference,
    deviations: "as verl, environment tokens get the penalty too; they carry no advantage",
    inputs: &[],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let shaped = signal("token_rewards") - parameters.number("coef")? * log_ratio();
        Ok(Credit::new().define("token_rewards", shaped).into())
    },
};
