//! Token weights: which tokens of a rollout its outcome is put down to.

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[];
