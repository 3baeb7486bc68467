//! Shaped rewards: recipes of kind `reward`, whose result other recipes read, and recipes that compare a
//! shaped reward in its group.

pub mod adasearch;
pub mod avar;
pub mod c2;
pub mod carl_driving;
pub mod carr;
pub mod deep_research_survey;
pub mod descore;
pub mod editscore;
pub mod edualign;
pub mod goal_conditioned_rm;
pub mod gtalign;
pub mod kl_in_reward;
pub mod linear_reward;
pub mod lsc;
pub mod med_r3;
pub mod mm_r5;
pub mod opagent;
pub mod openrubrics;
pub mod overlong_penalty;
pub mod pagellm;
pub mod par;
pub mod pit;
pub mod pre_grpo;
pub mod promptecho;
pub mod promptenhancer;
pub mod reg4rec;
pub mod resume_grpo;
pub mod rewarddance;
pub mod router_r1;
pub mod search_r2;
pub mod searchllm;
pub mod thoth;
pub mod truncated_reward;
pub mod unsupervised_perceptual_rewards;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[
    &adasearch::ADASEARCH,
    &avar::AVAR,
    &c2::C2,
    &carl_driving::CARL_DRIVING,
    &carr::CARR,
    &deep_research_survey::DEEP_RESEARCH_SURVEY,
    &descore::DESCORE,
    &editscore::EDITSCORE,
    &edualign::EDUALIGN,
    &goal_conditioned_rm::GOAL_CONDITIONED_RM,
    &gtalign::GTALIGN,
    &kl_in_reward::KL_IN_REWARD,
    &linear_reward::LINEAR_REWARD,
    &lsc::LSC,
    &med_r3::MED_R3,
    &mm_r5::MM_R5,
    &opagent::OPAGENT,
    &openrubrics::OPENRUBRICS,
    &overlong_penalty::OVERLONG_PENALTY,
    &pagellm::PAGELLM,
    &par::PAR,
    &pit::PIT,
    &pre_grpo::PRE_GRPO,
    &promptecho::PROMPTECHO,
    &promptenhancer::PROMPTENHANCER,
    &reg4rec::REG4REC,
    &resume_grpo::RESUME_GRPO,
    &rewarddance::REWARDDANCE,
    &router_r1::ROUTER_R1,
    &search_r2::SEARCH_R2,
    &searchllm::SEARCHLLM,
    &thoth::THOTH,
    &truncated_reward::TRUNCATED_REWARD,
    &unsupervised_perceptual_rewards::UNSUPERVISED_PERCEPTUAL_REWARDS,
];
