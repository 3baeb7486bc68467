//! G independent rollouts per prompt.

use std::sync::Arc;

use async_trait::async_trait;

use super::Strategy;
use crate::Result;
use crate::sample::{Prompt, Round, Sampled};

/// `group_size` rollouts of each prompt, each by itself: what GRPO and its kin sample (Shao et al.
/// 2024, arXiv 2402.03300).
#[derive(Debug, Clone, Copy, Default)]
pub struct Independent;

#[async_trait]
impl Strategy for Independent {
    fn name(&self) -> &str {
        "independent"
    }

    fn needs_rewards(&self) -> bool {
        false
    }

    async fn sample(&self, round: &Round<'_>, prompts: &[Arc<Prompt>]) -> Result<Sampled> {
        let sizes = vec![round.sampler.group_size; prompts.len()];
        groups_of(round, prompts, &sizes).await
    }
}

/// So many independent rollouts of each prompt.
pub(super) async fn groups_of(
    round: &Round<'_>,
    prompts: &[Arc<Prompt>],
    sizes: &[usize],
) -> Result<Sampled> {
    let mut episodes = Vec::new();
    for (prompt, size) in prompts.iter().zip(sizes) {
        for number in 0..*size {
            episodes.push(round.episode(prompt, number)?);
        }
    }
    let episodes = round.run(episodes).await?;
    Sampled::join(vec![round.judge(&episodes, &[]).await?])
}
