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
