//! Strategies: which rollouts are sampled, from where, and how many.

mod independent;

pub use independent::Independent;

use std::sync::Arc;

use async_trait::async_trait;

use super::{Prompt, Round, Sampled};
use crate::Result;

/// Decides what is sampled. Strategies that need rewards run in rounds of sampling and judging.
#[async_trait]
pub trait Strategy: Send + Sync {
    /// Its name.
    fn name(&self) -> &str;

    /// True where it decides by rewards, so that its rounds must be judged as they are sampled. The others
    /// may be judged afterwards.
    fn needs_rewards(&self) -> bool {
        true
    }

    /// Samples rollouts of the prompts and has all of them judged.
    ///
    /// # Errors
    /// Failures of the policy and the judge.
    async fn sample(&self, round: &Round<'_>, prompts: &[Arc<Prompt>]) -> Result<Sampled>;
}
