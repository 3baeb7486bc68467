//! Recipes that stand on trees of rollouts.

pub mod tempo;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[&tempo::TEMPO];
