//! Recipes for agents: credit to steps and turns, and to each of several agents.

mod agent_lightning;
mod c3;
mod ccpo;
mod dr_mas;
pub mod gigpo;
mod graph_grpo;
mod inputs;
mod leave_one_agent_out;
mod llm_mca;
mod m_grpo;
mod malt;
mod mappa;
mod orchestration_traces;
mod sepo;
mod shapley;
mod sharp;
pub mod step_reinforce;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[
    &agent_lightning::AGENT_LIGHTNING,
    &c3::C3,
    &ccpo::CCPO,
    &dr_mas::DR_MAS,
    &gigpo::GIGPO,
    &graph_grpo::GRAPH_GRPO,
    &leave_one_agent_out::LEAVE_ONE_AGENT_OUT,
    &llm_mca::LLM_MCA,
    &m_grpo::M_GRPO,
    &malt::MALT,
    &mappa::MAPPA,
    &orchestration_traces::ORCHESTRATION_TRACES,
    &sepo::SEPO,
    &shapley::SHAPLEY,
    &sharp::SHARP,
    &step_reinforce::STEP_REINFORCE,
];
