//! Recipes that reshape the outcome reward or its group: difficulty, signs, schedules, budgets.

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[];
