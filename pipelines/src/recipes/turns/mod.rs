//! Recipes that credit turns and steps of agents and dialogues.

pub mod a2tgpo;
pub mod aem;
pub mod agent_prm;
pub mod archer;
pub mod critic_search;
pub mod f_grpo;
pub mod habc;
pub mod hcapo;
pub mod igpo;
pub mod int;
pub mod istar;
pub mod itpo;
pub mod mapo;
pub mod matchtir;
pub mod mt_grpo;
pub mod pbsd;
pub mod poad;
pub mod r3_rag;
pub mod r3l;
pub mod ragen;
pub mod score_two_attempt;
pub mod siop;
pub mod spa_rl;
pub mod step_search;
pub mod target_decoupling;
pub mod tarl;
pub mod turn_ppo;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[
    &a2tgpo::A2TGPO,
    &aem::AEM,
    &agent_prm::AGENT_PRM,
    &archer::ARCHER,
    &critic_search::CRITIC_SEARCH,
    &f_grpo::F_GRPO,
    &habc::HABC,
    &hcapo::HCAPO,
    &igpo::IGPO,
    &int::INT,
    &istar::ISTAR,
    &itpo::ITPO,
    &mapo::MAPO,
    &matchtir::MATCHTIR,
    &mt_grpo::MT_GRPO,
    &pbsd::PBSD,
    &poad::POAD,
    &r3_rag::R3_RAG,
    &r3l::R3L,
    &ragen::RAGEN,
    &score_two_attempt::SCORE_TWO_ATTEMPT,
    &siop::SIOP,
    &spa_rl::SPA_RL,
    &step_search::STEP_SEARCH,
    &target_decoupling::TARGET_DECOUPLING,
    &tarl::TARL,
    &turn_ppo::TURN_PPO,
];
