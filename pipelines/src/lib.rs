//! Recipes, one file each, and the stored pipeline that applies them.

pub mod parameters;
mod parts;
pub mod presets;
pub mod recipe;
pub mod recipes;
pub mod stored;
pub mod vocabulary;

pub use parameters::{Parameter, Parameters};
pub use recipe::{Kind, Plan, Recipe};
pub use recipes::{RECIPES, find};
