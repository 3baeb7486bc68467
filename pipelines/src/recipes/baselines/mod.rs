//! Baseline recipes: the estimators that every trainer has.

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

mod outcome;
