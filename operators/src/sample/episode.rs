//! One rollout while it is sampled: its tokens, its steps, and how it ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Prompt;
use crate::random::RandomKey;

/// How a rollout ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// By itself: the policy's end token, or the environment.
    Complete,
    /// By the limit of tokens or turns.
    Truncated,
    /// By a deadline.
    Aborted,
    /// By a failure of the environment or the tokenizer.
    Error,
}

impl Status {
    /// The text of the column `status`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Status::Complete => "complete",
            Status::Truncated => "truncated",
            Status::Aborted => "aborted",
            Status::Error => "error",
        }
    }

    /// True where the rollout broke off for a reason that is not the policy's: it gets no reward.
    pub fn is_failure(&self) -> bool {
        matches!(self, Status::Aborted | Status::Error)
    }
}

/// A span of tokens: one turn of the policy, or what the environment said.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Token after its last.
    pub end: usize,
    /// True for the policy (`policy`), false for the environment (`observation`).
    pub policy: bool,
    /// Its turn, from 0.
    pub turn: usize,
    /// Key of the state before it, where the environment names states.
    pub state: Option<String>,
    /// Canonical action, where the environment recognises one.
    pub action: Option<String>,
    /// Its text; `None` where its tokens are no text.
    pub text: Option<String>,
    /// Reward that the environment gave for it.
    pub reward: Option<f64>,
}

/// One rollout. Token `i` of the rollout is drawn at position `i` of its key.
#[derive(Debug, Clone, PartialEq)]
pub struct Episode {
    /// The group that it belongs to; the prompt's, unless the strategy makes groups of its own.
    pub group_id: String,
    /// Unique in the iteration: `<group>/<number>`.
    pub rollout_id: String,
    /// The prompt as it is recorded and trained on.
    pub prompt: Arc<Prompt>,
    /// Its token ids.
    pub prompt_ids: Vec<i32>,
    /// What the policy sees in its place, where that is something else: the prompt with a hint.
    pub seen_ids: Option<Vec<i32>>,
    /// What its draws depend on.
    pub key: RandomKey,
    /// Tokens after the prompt, of policy and environment.
    pub tokens: Vec<i32>,
    /// True where the policy made the token and it may be trained on.
    pub mask: Vec<bool>,
    /// Log-probabilities as sampled; `None` at tokens of the environment.
    pub logprobs: Vec<Option<f32>>,
    /// Entropies (nats) as sampled; `None` at tokens of the environment.
    pub entropies: Vec<Option<f32>>,
    /// The finished steps. Tokens after the last one are the open turn of the policy.
    pub steps: Vec<Step>,
    /// The environment's state now, where it names states.
    pub state: Option<String>,
    /// How it ended; `None` while it goes on.
    pub status: Option<Status>,
    /// Why it did not complete.
    pub reason: Option<String>,
    /// Values of the columns that the strategy adds, by column.
    pub signals: BTreeMap<String, Value>,
    /// What else is worth keeping: the object `sample` in `metadata`.
    pub notes: Map<String, Value>,
}

impl Episode {
    /// The first token of the open turn.
    pub fn turn_start(&self) -> usize {
        self.steps.last().map_or(0, |step| step.end)
    }

    /// Number of finished turns of the policy.
    pub fn turns(&self) -> usize {
        self.steps.iter().filter(|step| step.policy).count()
    }

    /// All that the policy sees: the prompt, or what stands in its place, and the tokens so far.
    pub fn context(&self) -> Vec<i32> {
        let prompt = self.seen_ids.as_ref().unwrap_or(&self.prompt_ids);
        [prompt.as_slice(), &self.tokens].concat()
    }

    /// Ends it; the first reason stays.
    pub fn end(&mut self, status: Status, reason: Option<String>) {
        if self.status.is_none() {
            self.status = Some(status);
            self.reason = reason;
        }
    }

    /// A rollout that shares the first `split` tokens with this one, log-probabilities included, and
    /// samples the rest anew with a key of its own. A turn that ends at the split is open again: the
    /// environment has yet to answer it.
    pub fn fork(&self, split: usize, rollout_id: String, key: RandomKey) -> Episode {
        let split = split.min(self.tokens.len());
        let reopened = |step: &Step| step.end > split || (step.end == split && step.policy);
        let kept = self.steps.iter().position(reopened).unwrap_or(self.steps.len());
        let state = self.steps.get(kept).and_then(|step| step.state.clone());
        Episode {
            rollout_id,
            key,
            tokens: self.tokens[..split].to_vec(),
            mask: self.mask[..split].to_vec(),
            logprobs: self.logprobs[..split].to_vec(),
            entropies: self.entropies[..split].to_vec(),
            steps: self.steps[..kept].to_vec(),
            state,
            status: None,
            reason: None,
            signals: BTreeMap::new(),
            notes: Map::new(),
            ..self.clone()
        }
    }

    /// Appends tokens of the environment: masked, without log-probabilities.
    pub(super) fn observe(&mut self, tokens: &[i32], text: String) {
        self.tokens.extend_from_slice(tokens);
        self.mask.resize(self.tokens.len(), false);
        self.logprobs.resize(self.tokens.len(), None);
        self.entropies.resize(self.tokens.len(), None);
        let turn = self.turns().saturating_sub(1);
        let end = self.tokens.len();
        self.steps.push(Step {
            end,
            policy: false,
            turn,
            state: None,
            action: None,
            text: Some(text),
            reward: None,
        });
    }

    /// Makes the open turn a step.
    pub(super) fn close_turn(&mut self, text: Option<String>, action: Option<String>, reward: Option<f64>) {
        let (end, turn, state) = (self.tokens.len(), self.turns(), self.state.take());
        self.steps.push(Step { end, policy: true, turn, state, action, text, reward });
    }

    /// Leaves out the tokens from `length` on.
    pub(super) fn cut(&mut self, length: usize) {
        self.tokens.truncate(length);
        self.mask.truncate(length);
        self.logprobs.truncate(length);
        self.entropies.truncate(length);
    }
}
