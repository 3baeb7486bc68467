//! The stored pipeline: rollouts at rest in, advantages out.

mod accepted;
mod job;
mod stage;
mod summary;

pub use accepted::{Accepted, Rejected};
pub use job::{AssignJob, AssignReport, RecipeSettings, assign};
pub use summary::Summary;
