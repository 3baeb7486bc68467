//! Recipes that credit turns and steps of agents and dialogues.

pub mod aem;
pub mod archer;
pub mod critic_search;
pub mod f_grpo;
pub mod habc;
pub mod int;
pub mod mapo;
pub mod pbsd;
pub mod poad;
pub mod r3_rag;
pub mod r3l;
pub mod score_two_attempt;
pub mod step_search;
pub mod target_decoupling;
pub mod tarl;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[
    &aem::AEM,
    &archer::ARCHER,
    &critic_search::CRITIC_SEARCH,
    &f_grpo::F_GRPO,
    &habc::HABC,
    &int::INT,
    &mapo::MAPO,
    &pbsd::PBSD,
    &poad::POAD,
    &r3_rag::R3_RAG,
    &r3l::R3L,
    &score_two_attempt::SCORE_TWO_ATTEMPT,
    &step_search::STEP_SEARCH,
    &target_decoupling::TARGET_DECOUPLING,
    &tarl::TARL,
];
