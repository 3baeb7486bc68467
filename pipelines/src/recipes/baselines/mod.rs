//! Baseline recipes: the estimators that every trainer has.

pub mod dpo_vs_ppo;
pub mod dr_grpo;
pub mod gae;
pub mod gdpo;
pub mod gpg;
pub mod grpo;
pub mod grpo_passk;
pub mod max_rl;
pub mod on_policy_distillation;
pub mod opo;
pub mod optimal_token_baseline;
pub mod reinforce;
pub mod reinforce_pp;
pub mod reinforce_pp_baseline;
pub mod remax;
pub mod rloo;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[
    &dpo_vs_ppo::DPO_VS_PPO,
    &dr_grpo::DR_GRPO,
    &gae::GAE,
    &gdpo::GDPO,
    &gpg::GPG,
    &grpo::GRPO,
    &grpo_passk::GRPO_PASSK,
    &max_rl::MAX_RL,
    &on_policy_distillation::ON_POLICY_DISTILLATION,
    &opo::OPO,
    &optimal_token_baseline::OPTIMAL_TOKEN_BASELINE,
    &reinforce::REINFORCE,
    &reinforce_pp::REINFORCE_PP,
    &reinforce_pp_baseline::REINFORCE_PP_BASELINE,
    &remax::REMAX,
    &rloo::RLOO,
    &optimal_token_baseline::TIR_OPTIMAL_TOKEN_BASELINE,
];
