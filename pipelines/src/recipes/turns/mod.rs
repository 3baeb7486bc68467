//! Recipes that credit turns and steps of agents and dialogues.

pub mod a2tgpo;
pub mod agent_prm;
pub mod hcapo;
pub mod igpo;
pub mod istar;
pub mod itpo;
pub mod matchtir;
pub mod mt_grpo;
pub mod ragen;
pub mod siop;
pub mod spa_rl;
pub mod turn_ppo;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[
    &a2tgpo::A2TGPO,
    &agent_prm::AGENT_PRM,
    &hcapo::HCAPO,
    &igpo::IGPO,
    &istar::ISTAR,
    &itpo::ITPO,
    &matchtir::MATCHTIR,
    &mt_grpo::MT_GRPO,
    &ragen::RAGEN,
    &siop::SIOP,
    &spa_rl::SPA_RL,
    &turn_ppo::TURN_PPO,
];
