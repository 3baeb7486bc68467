//! Strategies: which rollouts are sampled, from where, and how many.

mod branch_points;
mod groups;
mod guide;
mod independent;
mod knapsack;
mod nodes;
mod pivot;
mod r3l;
mod refill;
mod slate;
mod tree;

pub use branch_points::{BranchPoint, BranchScores, appo_branch_scores, choose_branch_points};
pub use guide::{AccuracyFilter, Guide, Hint, Verdict};
pub use independent::Independent;
pub use knapsack::{Knapsack, allocate_rollouts, rollout_value};
pub use nodes::{Branch, tree_nodes};
pub use pivot::{Outcome, Reflection, Selection, pivot_mask, select};
pub use r3l::{GuidedPrompt, ReflectionPrompt, RetryFromPivot};
pub use refill::{PromptSource, Refill};
pub use slate::{Slate, selection_probabilities};
pub use tree::{BranchBy, Tree};

use std::sync::Arc;

use async_trait::async_trait;

use super::{Prompt, Round, Sampled};
use crate::{Error, Result};

/// Decides what is sampled. Strategies that need rewards run in rounds of sampling and judging.
///
/// ```
/// use std::sync::Arc;
/// use meed_operators::Result;
/// use meed_operators::sample::{Prompt, Round, Sampled, Strategy};
///
/// /// Two rollouts per prompt.
/// struct Pairs;
///
/// #[async_trait::async_trait]
/// impl Strategy for Pairs {
///     fn name(&self) -> &str {
///         "pairs"
///     }
///
///     async fn sample(&self, round: &Round<'_>, prompts: &[Arc<Prompt>]) -> Result<Sampled> {
///         let mut episodes = Vec::new();
///         for prompt in prompts {
///             episodes.push(round.episode(prompt, 0)?);
///             episodes.push(round.episode(prompt, 1)?);
///         }
///         let episodes = round.run(episodes).await?;
///         Sampled::join(vec![round.judge(&episodes, &[]).await?])
///     }
/// }
/// ```
#[async_trait]
pub trait Strategy: Send + Sync {
    /// Its name.
    fn name(&self) -> &str;

    /// True where it decides by rewards, so that its rounds must be judged as they are sampled. The others
    /// may be judged afterwards.
    fn needs_rewards(&self) -> bool {
        true
    }

    /// True where what it samples of a prompt depends on the other prompts, so that those of an iteration
    /// must be asked together.
    fn decides_by_batch(&self) -> bool {
        false
    }

    /// True where it decides by how earlier iterations went, so that somebody must keep record of them.
    fn reads_history(&self) -> bool {
        false
    }

    /// Samples rollouts of the prompts and has all of them judged.
    ///
    /// # Errors
    /// Failures of the policy and the judge.
    async fn sample(&self, round: &Round<'_>, prompts: &[Arc<Prompt>]) -> Result<Sampled>;
}

/// Runs what only computes beside the threads that serve environments and judges.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let work = tokio::task::spawn_blocking(work);
    work.await.map_err(|failure| Error::external("asking the policy", failure, ""))?
}
