//! Recipes and objectives, one file each, the stored and live pipelines that apply them, and tasks to
//! train on.

pub mod comparison;
pub mod description;
pub mod inputs;
pub mod judges;
pub mod live;
mod memory;
pub mod methods;
pub mod metrics;
pub mod objectives;
pub mod parameters;
mod parts;
pub mod presets;
mod program;
pub mod ready;
pub mod recipe;
pub mod recipes;
pub mod stored;
pub mod tasks;
pub mod vocabulary;

pub use description::Description;
pub use inputs::{Input, Of, input, items, pairs};
pub use judges::{JUDGES, JudgeDefinition, find_judge, make_judges};
pub use memory::{Earlier, InMemory};
pub use methods::{Method, methods};
pub use objectives::{NamedObjective, OBJECTIVES, find_objective};
pub use parameters::{Parameter, Parameters};
pub use parts::written::try_reward;
pub use ready::Ready;
pub use recipe::{Fidelity, Kind, Plan, Recipe};
pub use recipes::tokens::adakd::TokenFocus;
pub use recipes::{RECIPES, find, recipes};
