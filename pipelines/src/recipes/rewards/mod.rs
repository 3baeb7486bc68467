//! Shaped rewards: recipes of kind `reward`, whose result other recipes read, and recipes that compare a
//! shaped reward in its group.

pub mod c2;
pub mod carr;
pub mod deep_research_survey;
pub mod edualign;
pub mod goal_conditioned_rm;
pub mod kl_in_reward;
pub mod linear_reward;
pub mod lsc;
pub mod mm_r5;
pub mod openrubrics;
pub mod overlong_penalty;
pub mod pagellm;
pub mod par;
pub mod promptenhancer;
pub mod reg4rec;
pub mod resume_grpo;
pub mod searchllm;
pub mod thoth;
pub mod truncated_reward;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[
    &c2::C2,
    &carr::CARR,
    &deep_research_survey::DEEP_RESEARCH_SURVEY,
    &edualign::EDUALIGN,
    &goal_conditioned_rm::GOAL_CONDITIONED_RM,
    &kl_in_reward::KL_IN_REWARD,
    &linear_reward::LINEAR_REWARD,
    &lsc::LSC,
    &mm_r5::MM_R5,
    &openrubrics::OPENRUBRICS,
    &overlong_penalty::OVERLONG_PENALTY,
    &pagellm::PAGELLM,
    &par::PAR,
    &promptenhancer::PROMPTENHANCER,
    &reg4rec::REG4REC,
    &resume_grpo::RESUME_GRPO,
    &searchllm::SEARCHLLM,
    &thoth::THOTH,
    &truncated_reward::TRUNCATED_REWARD,
];
