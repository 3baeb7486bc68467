//! Process rewards: scores of steps by a judge, turned into credit.

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[];
