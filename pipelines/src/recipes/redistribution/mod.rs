//! Recipes that redistribute an outcome over steps, and shape step rewards.

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[];
