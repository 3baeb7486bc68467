//! Credit for what an agent or a writer does at a time: macro actions, words, environment actions.

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[];
