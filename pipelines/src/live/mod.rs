//! The live pipeline: a policy samples, judges score, a recipe assigns credit, a learner is updated,
//! and round again.

mod checkpoints;
mod evaluate;
mod learned_judge;
mod model_signals;
mod policies;
mod pruning;
mod stages;
mod training;
mod training_rows;
mod update_row;
mod updater;
mod warm_up;

pub use checkpoints::{Checkpoints, RunState};
pub use evaluate::{Evaluation, evaluate};
pub use learned_judge::LearnedJudge;
pub use policies::{Policies, Published, version_of};
pub use stages::{Prompts, Replay};
pub use training::{Observe, Training, TrainingReport};
pub use training_rows::{TrainingRows, with_scores};
pub use update_row::{UpdateRow, update_rows};
pub use updater::EpochReport;
pub use warm_up::{WarmUp, warm_up};
