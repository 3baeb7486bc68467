//! Recipes for agents: credit to steps and turns.

pub mod gigpo;
pub mod step_reinforce;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[&gigpo::GIGPO, &step_reinforce::STEP_REINFORCE];
