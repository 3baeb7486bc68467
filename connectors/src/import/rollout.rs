//! A rollout as importers describe it: ordered steps of text, before tokens and columns.

use meed_operators::Place;
use meed_operators::columns::is_environment_kind;
use serde_json::{Map, Value};

/// One rollout, as read from somebody else's file.
#[derive(Debug, Clone, Default)]
pub struct Rollout {
    /// Where it was read; errors about it begin with this.
    pub place: Place,
    /// Prompt or task.
    pub group_id: String,
    /// Unique over everything that is imported together.
    pub rollout_id: String,
    /// `complete`, `truncated`, `aborted` or `error`.
    pub status: &'static str,
    /// Text of the prompt.
    pub prompt: Option<String>,
    /// Text of everything after the prompt.
    pub response: Option<String>,
    /// The gold answer.
    pub reference: Option<String>,
    /// Outcome reward.
    pub reward: Option<f64>,
    /// Why there is no reward.
    pub reward_status: Option<String>,
    /// The steps, in order; together they hold every token after the prompt.
    pub steps: Vec<Step>,
    /// Rollout signals beyond the schema, by column name.
    pub signals: Map<String, Value>,
    /// What has no column of its own.
    pub metadata: Map<String, Value>,
}

/// One step of a rollout. Each is tokenised by itself, so that its token span is exact.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// `policy`, `environment`, or finer.
    pub kind: &'static str,
    /// Its text.
    pub text: String,
    /// Turn that it belongs to.
    pub turn: Option<i32>,
    /// Agent or role.
    pub agent: Option<String>,
    /// Key of the state before it.
    pub state: Option<String>,
    /// Canonical action.
    pub action: Option<String>,
    /// Its reward.
    pub reward: Option<f64>,
    /// Value estimate before it.
    pub value: Option<f64>,
    /// Node of the group's tree that it is.
    pub node: Option<i64>,
    /// Step signals beyond the schema, by column name (`step_<name>`).
    pub signals: Map<String, Value>,
}

impl Step {
    /// A step of a kind with a text.
    pub fn new(kind: &'static str, text: impl Into<String>) -> Self {
        Step { kind, text: text.into(), ..Step::default() }
    }

    /// True if the environment, and not the policy, wrote it.
    pub fn is_environment(&self) -> bool {
        is_environment_kind(self.kind)
    }
}

/// Gives the outcome to the last policy step and 0 to the other policy steps, which is how recipes of
/// steps read an outcome; steps of the environment have no reward. Without an outcome no step has one.
pub(super) fn reward_at_the_end(steps: &mut [Step], outcome: Option<f64>) {
    let Some(outcome) = outcome else {
        return;
    };
    let mut policy = steps.iter_mut().filter(|step| !step.is_environment());
    if let Some(last) = policy.next_back() {
        last.reward = Some(outcome);
    }
    policy.for_each(|step| step.reward = Some(0.0));
}
