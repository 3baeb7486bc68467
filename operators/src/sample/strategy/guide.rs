//! Guide: prompts that no rollout solved are sampled again with a hint.

use std::sync::Arc;

use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field};
use async_trait::async_trait;
use serde_json::Value;

use super::Strategy;
use super::groups::{split_groups, values_by_group};
use crate::Result;
use crate::sample::{Episode, Prompt, Round, Sampled};

/// The whole text of a prompt with its hint; `None` where there is no hint for it.
pub type Hint = dyn Fn(&Prompt) -> Option<String> + Send + Sync;

/// Guide-GRPO's sampling (Adaptive Guidance Accelerates Reinforcement Learning of Reasoning Models;
/// vaskar-open-source-research/guide_rl): groups with a mean reward in `[low, high]` are kept, groups at
/// or below `threshold` are sampled again with a hint and kept if their mean is in the range then, and
/// all others are dropped.
///
/// Adds the column `hinted`. A hinted rollout is recorded under its plain prompt, on which it is
/// trained; its log-probabilities are those under the hinted prompt that it was sampled from, and they
/// are its old log-probabilities: they must not be recomputed under the plain one. The hinted prompt is
/// in `metadata`, at `sample.seen`. The reference's `mixin` of plain rows into hinted groups is not built.
#[derive(Clone)]
pub struct Guide {
    /// The hints.
    pub hint: Arc<Hint>,
    /// What is done with a group, by its mean reward.
    pub filter: AccuracyFilter,
}

/// What becomes of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is trained on.
    Keep,
    /// It is sampled again with a hint.
    Reroll,
    /// It is left out.
    Drop,
}

/// Decides on groups by their mean reward.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AccuracyFilter {
    /// Lowest mean reward of a group that is kept.
    pub low: f64,
    /// Highest mean reward of a group that is kept.
    pub high: f64,
    /// Highest mean reward of a group that is sampled again.
    pub threshold: f64,
}

impl Default for AccuracyFilter {
    fn default() -> Self {
        AccuracyFilter { low: 0.001, high: 0.999, threshold: 0.001 }
    }
}

impl AccuracyFilter {
    /// The verdict on a group with these known rewards; without any it is dropped.
    ///
    /// ```
    /// use meed_operators::sample::strategy::{AccuracyFilter, Verdict};
    /// let filter = AccuracyFilter::default();
    /// assert_eq!(filter.verdict(&[0.0, 1.0]), Verdict::Keep);
    /// assert_eq!(filter.verdict(&[0.0, 0.0]), Verdict::Reroll);
    /// assert_eq!(filter.verdict(&[1.0, 1.0]), Verdict::Drop);
    /// ```
    pub fn verdict(&self, rewards: &[f64]) -> Verdict {
        let mean = rewards.iter().sum::<f64>() / rewards.len() as f64;
        if (self.low..=self.high).contains(&mean) {
            Verdict::Keep
        } else if mean <= self.threshold {
            Verdict::Reroll
        } else {
            Verdict::Drop
        }
    }
}

#[async_trait]
impl Strategy for Guide {
    fn name(&self) -> &str {
        "guide"
    }

    async fn sample(&self, round: &Round<'_>, prompts: &[Arc<Prompt>]) -> Result<Sampled> {
        let size = round.sampler.group_size;
        let added = [Field::new("hinted", DataType::Boolean, true)];
        let plain = numbered(round, prompts, 0..size)?;
        let plain = round.judge(&round.run(plain).await?, &added).await?;
        let rewards = values_by_group(&plain.rollouts, "reward")?;
        let verdict =
            |group: &str| rewards.get(group).map_or(Verdict::Drop, |known| self.filter.verdict(known));
        let (kept, failed) = split_groups(&plain.rollouts, |group| verdict(group) == Verdict::Keep)?;

        let mut hinted = Vec::new();
        for prompt in prompts.iter().filter(|prompt| verdict(&prompt.group_id) == Verdict::Reroll) {
            let Some(seen) = (self.hint)(prompt) else {
                continue;
            };
            let seen_ids = round.encode(prompt, &seen)?;
            for mut episode in numbered(round, std::slice::from_ref(prompt), size..2 * size)? {
                episode.seen_ids = Some(seen_ids.clone());
                episode.notes.insert("seen".to_owned(), Value::from(seen.clone()));
                episode.signals.insert("hinted".to_owned(), Value::from(true));
                hinted.push(episode);
            }
        }
        let hinted = round.judge(&round.run(hinted).await?, &added).await?;
        let rewards = values_by_group(&hinted.rollouts, "reward")?;
        let keep =
            |group: &str| rewards.get(group).is_some_and(|known| self.filter.verdict(known) == Verdict::Keep);
        let (rescued, lost) = split_groups(&hinted.rollouts, keep)?;
        let schema = kept.schema();
        Ok(Sampled {
            rollouts: concat_batches(&schema, [&kept, &rescued])?,
            scores: [plain.scores, hinted.scores].concat(),
            nodes: None,
            dropped: Some(concat_batches(&schema, [&failed, &lost])?),
        })
    }
}

fn numbered(
    round: &Round<'_>,
    prompts: &[Arc<Prompt>],
    numbers: std::ops::Range<usize>,
) -> Result<Vec<Episode>> {
    let mut episodes = Vec::new();
    for prompt in prompts {
        for number in numbers.clone() {
            let mut episode = round.episode(prompt, number)?;
            episode.signals.insert("hinted".to_owned(), Value::from(false));
            episodes.push(episode);
        }
    }
    Ok(episodes)
}
