//! Recipes, one file each, the stored pipeline that applies them, and tasks to train on.

mod memory;
pub mod parameters;
mod parts;
pub mod presets;
pub mod recipe;
pub mod recipes;
pub mod stored;
pub mod tasks;
pub mod vocabulary;

pub use memory::InMemory;
pub use parameters::{Parameter, Parameters};
pub use recipe::{Kind, Plan, Recipe};
pub use recipes::{RECIPES, find};
