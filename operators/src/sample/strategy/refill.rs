//! Dynamic sampling: groups from which nothing is to be learned are replaced.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::compute::concat_batches;
use async_trait::async_trait;

use super::Strategy;
use super::groups::{split_groups, values_by_group};
use crate::sample::{Prompt, Round, Sampled};
use crate::{Error, Result};

/// The prompt that takes the place of one whose group taught nothing, by iteration, prompt and round
/// (from 1); `None` where there is none left. The same answer every time, and another prompt than any
/// that the iteration sees elsewhere.
pub type PromptSource = dyn Fn(i64, &Prompt, usize) -> Option<Prompt> + Send + Sync;

/// Samples by another strategy and keeps the groups whose values of a signal are not all equal; in the
/// place of every other group another prompt is sampled, up to `rounds` times (DAPO's dynamic sampling,
/// Yu et al. 2025, arXiv 2503.14476, section 3.2; verl's `filter_groups`).
///
/// Every prompt has replacements of its own, so that what is sampled does not depend on which prompts
/// are asked together; the reference draws replacements from one stream and cuts off what is too much.
/// A group with fewer than two known values is replaced too. What is replaced, or still teaches nothing
/// after the last round, comes back as [`Sampled::dropped`].
#[derive(Clone)]
pub struct Refill {
    /// How groups are sampled.
    pub inner: Arc<dyn Strategy>,
    /// The rollout signal that is to differ: `reward`, or what a judge adds.
    pub signal: String,
    /// How often a group is replaced at most.
    pub rounds: usize,
    /// Where replacements come from.
    pub source: Arc<PromptSource>,
}

#[async_trait]
impl Strategy for Refill {
    fn name(&self) -> &str {
        "refill"
    }

    fn decides_by_batch(&self) -> bool {
        self.inner.decides_by_batch()
    }

    fn reads_history(&self) -> bool {
        self.inner.reads_history()
    }

    async fn sample(&self, round: &Round<'_>, prompts: &[Arc<Prompt>]) -> Result<Sampled> {
        let mut asked = prompts.to_vec();
        let mut seen: BTreeSet<String> = asked.iter().map(|prompt| prompt.group_id.clone()).collect();
        let (mut kept, mut dropped, mut scores, mut nodes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for number in 0..=self.rounds {
            let sampled = self.inner.sample(round, &asked).await?;
            let values = values_by_group(&sampled.rollouts, &self.signal)?;
            if let Some(other) =
                values.keys().find(|group| asked.iter().all(|prompt| prompt.group_id != **group))
            {
                return Err(Error::usage(
                    format!("{} makes the group {other}, which is no prompt", self.inner.name()),
                    "dynamic sampling replaces prompts: give it a strategy whose groups are the prompts",
                ));
            }
            let teaches = |group: &str| values.get(group).is_some_and(|values| differ(values));
            let (good, rest) = split_groups(&sampled.rollouts, teaches)?;
            kept.push(good);
            dropped.push(rest);
            dropped.extend(sampled.dropped);
            scores.extend(sampled.scores);
            nodes.extend(sampled.nodes);
            let failed = asked.iter().filter(|prompt| !teaches(&prompt.group_id));
            if number == self.rounds {
                let short = failed.count();
                if short > 0 {
                    tracing::warn!(
                        iteration = round.iteration,
                        groups = short,
                        "no signal after the last round"
                    );
                }
                break;
            }
            let replacements: Vec<Prompt> =
                failed.filter_map(|prompt| (self.source)(round.iteration, prompt, number + 1)).collect();
            if let Some(twice) = replacements.iter().find(|prompt| !seen.insert(prompt.group_id.clone())) {
                return Err(Error::usage(
                    format!("the prompt source gave group {} twice in one iteration", twice.group_id),
                    "give every prompt replacements of its own",
                ));
            }
            if replacements.is_empty() {
                break;
            }
            asked = replacements.into_iter().map(Arc::new).collect();
        }
        let schema = kept[0].schema();
        Ok(Sampled {
            rollouts: concat_batches(&schema, &kept)?,
            scores,
            nodes: nodes.first().map(|first| concat_batches(&first.schema(), &nodes)).transpose()?,
            dropped: Some(concat_batches(&schema, &dropped)?),
        })
    }
}

fn differ(values: &[f64]) -> bool {
    values.iter().any(|value| *value != values[0])
}
