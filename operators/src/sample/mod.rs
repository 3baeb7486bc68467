//! sample: from prompts and a policy to rollouts, by a strategy, alone or in an environment.

mod balance;
mod calls;
mod environment;
mod episode;
mod history;
mod judging;
mod rollouts;
mod round;
mod sampler;
pub mod strategy;
mod turns;

pub use balance::{
    Balance, ScoredSample, ThresholdSearch, balance_by_threshold, balance_score, search_threshold,
    select_above,
};
pub use environment::{Environment, Environments, Reset, Transition};
pub use episode::{Episode, Status, Step};
pub use history::History;
pub use judging::{EpisodeReward, JudgeRollouts, JudgedRollouts, judged};
pub use rollouts::{RolloutBuilder, with_signals};
pub use round::{Live, Round};
pub use sampler::{SampleRequest, Sampled, Sampler};
pub use strategy::Strategy;

/// A task that the policy is asked to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// Name of the group that its rollouts form.
    pub group_id: String,
    /// The text that the policy sees.
    pub text: String,
    /// The gold answer, where there is one.
    pub reference: Option<String>,
    /// What judges and environments need beyond it, as JSON.
    pub metadata: Option<String>,
}
