//! Recipes that stand on trees of rollouts.

pub mod a3;
pub mod appo;
pub mod slate;
pub mod tempo;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[&a3::A3, &appo::APPO, &slate::SLATE, &tempo::TEMPO];
