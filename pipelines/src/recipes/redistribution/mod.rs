//! Recipes that redistribute an outcome over steps, and shape step rewards.

mod robo_dopamine;
mod sarm;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[&robo_dopamine::ROBO_DOPAMINE, &sarm::SARM];
