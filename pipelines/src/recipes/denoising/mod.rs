//! Recipes for the denoising steps of diffusion and flow models.

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[];
