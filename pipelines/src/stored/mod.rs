//! The stored pipeline: rollouts at rest in, scores or advantages out.

mod accepted;
mod answered;
mod counts;
mod job;
mod join_scores;
mod judge;
mod judgements;
mod stage;
mod summary;

pub use accepted::{Accepted, Rejected};
pub use answered::AnsweredScores;
pub use job::{AssignJob, AssignReport, RecipeSettings, assign, readable, tables_beside};
pub(crate) use job::{gather_known, prepare};
pub use join_scores::ScoreIndex;
pub use judge::{JudgeJob, JudgeReport, judge};
pub(crate) use stage::PIECE_TOKENS;
pub use summary::Summary;
