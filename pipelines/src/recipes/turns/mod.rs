//! Recipes that credit turns and steps of agents and dialogues.

pub mod a2tgpo;
pub mod igpo;
pub mod istar;
pub mod itpo;
pub mod matchtir;
pub mod siop;
pub mod spa_rl;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[
    &a2tgpo::A2TGPO,
    &igpo::IGPO,
    &istar::ISTAR,
    &itpo::ITPO,
    &matchtir::MATCHTIR,
    &siop::SIOP,
    &spa_rl::SPA_RL,
];
