//! sample: from prompts and a policy to rollouts, by a strategy, alone or in an environment.

mod environment;

pub use environment::{Environment, Environments, Reset, Transition};

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
