//! Environments that answer the policy's turns.

use async_trait::async_trait;

use super::Prompt;
use crate::Result;

/// How an episode begins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reset {
    /// What the policy sees after the prompt, before its first turn; it is masked. May be empty.
    pub observation: String,
    /// Key of the state that the episode begins in, for credit by state.
    pub state: Option<String>,
}

/// What an environment answers to one turn of the policy.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transition {
    /// What the policy sees next; masked. May be empty.
    pub observation: String,
    /// Reward of the turn, where the environment gives one.
    pub reward: Option<f64>,
    /// True where the episode has ended.
    pub done: bool,
    /// Key of the state after the turn, for credit by state.
    pub state: Option<String>,
    /// The turn as a canonical action, where the environment recognises one.
    pub action: Option<String>,
}

/// One episode. Calls have a deadline and may fail: both end the episode with a status and a reason.
#[async_trait]
pub trait Environment: Send {
    /// Begins the episode.
    async fn reset(&mut self) -> Result<Reset>;

    /// Answers the text of one turn of the policy.
    async fn step(&mut self, turn: &str) -> Result<Transition>;
}

/// Makes environments: one per rollout.
pub trait Environments: Send + Sync {
    /// A fresh environment for a prompt.
    ///
    /// # Errors
    /// A prompt whose metadata the environment does not understand.
    fn make(&self, prompt: &Prompt) -> Result<Box<dyn Environment>>;

    /// Text with which the policy ends a turn, where a turn does not end with the end token.
    fn turn_end(&self) -> Option<&str> {
        None
    }

    /// The largest number of turns of an episode.
    fn max_turns(&self) -> usize;
}
