//! Recipes that credit turns and steps of agents and dialogues.

pub mod archer;
pub mod poad;
pub mod r3l;
pub mod target_decoupling;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] =
    &[&archer::ARCHER, &poad::POAD, &r3l::R3L, &target_decoupling::TARGET_DECOUPLING];
