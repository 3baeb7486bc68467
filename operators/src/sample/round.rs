//! What a strategy works with: one policy, one judge and one key of randomness, for one iteration.

use std::sync::Arc;

use arrow::datatypes::Field;

use super::calls::Calls;
use super::judging::judged;
use super::{Environment, Episode, History, JudgeRollouts, JudgedRollouts, Prompt, RolloutBuilder, Sampler};
use crate::policy::Policy;
use crate::random::RandomKey;
use crate::{Error, Result};

/// One request as strategies see it: they begin episodes, run them, and have them judged.
pub struct Round<'a> {
    /// How to sample.
    pub sampler: &'a Sampler,
    /// Whom to ask for tokens.
    pub policy: Arc<dyn Policy>,
    /// The iteration that rollouts belong to.
    pub iteration: i64,
    /// The run's seed.
    pub seed: u64,
    /// Who gives rewards.
    pub judge: &'a dyn JudgeRollouts,
    /// How earlier iterations went.
    pub history: &'a History,
    pub(super) calls: Calls,
}

/// An episode with its environment.
pub struct Live {
    /// The episode so far.
    pub episode: Episode,
    pub(super) environment: Option<Box<dyn Environment>>,
}

impl Live {
    /// An episode that no environment answers.
    pub fn alone(episode: Episode) -> Self {
        Live { episode, environment: None }
    }
}

impl Round<'_> {
    /// The key of a rollout's draws.
    pub fn key(&self, group_id: &str, rollout_id: &str) -> RandomKey {
        RandomKey::new(self.seed, self.iteration.unsigned_abs(), group_id, rollout_id)
    }

    /// The token ids of a prompt.
    ///
    /// # Errors
    /// A text that the tokenizer cannot write.
    pub fn encode(&self, prompt: &Prompt, text: &str) -> Result<Vec<i32>> {
        self.sampler.tokenizer.encode(text).map_err(|error| {
            Error::usage(format!("the prompt of group {}: {error}", prompt.group_id), error.hint())
        })
    }

    /// A fresh episode of a prompt, number `number` of its group.
    ///
    /// # Errors
    /// A prompt that the tokenizer cannot write.
    pub fn episode(&self, prompt: &Arc<Prompt>, number: usize) -> Result<Episode> {
        let group_id = prompt.group_id.clone();
        let rollout_id = format!("{group_id}/{number}");
        Ok(Episode {
            key: self.key(&group_id, &rollout_id),
            group_id,
            rollout_id,
            prompt_ids: self.encode(prompt, &prompt.text)?,
            prompt: prompt.clone(),
            seen_ids: None,
            tokens: Vec::new(),
            mask: Vec::new(),
            logprobs: Vec::new(),
            entropies: Vec::new(),
            steps: Vec::new(),
            state: None,
            status: None,
            reason: None,
            signals: Default::default(),
            notes: Default::default(),
        })
    }

    /// An episode that goes on from token `split` of another one, as number `number` of its group.
    pub fn fork(&self, parent: &Episode, split: usize, number: usize) -> Episode {
        let rollout_id = format!("{}/{number}", parent.group_id);
        let key = self.key(&parent.group_id, &rollout_id);
        parent.fork(split, rollout_id, key)
    }

    /// Has episodes judged: their rollouts with rewards, in the given order, and the scores. The
    /// columns `added` are those that the strategy fills through [`Episode::signals`].
    ///
    /// # Errors
    /// As [`RolloutBuilder::finish`] and [`JudgeRollouts::judge_rollouts`]; a judge that changes rows.
    pub fn judge<'b>(
        &'b self,
        episodes: &[Episode],
        added: &[Field],
    ) -> impl Future<Output = Result<JudgedRollouts>> + Send + use<'b> {
        let mut rows = RolloutBuilder::new(self.iteration, self.sampler.tokenizer.as_ref(), added);
        episodes.iter().for_each(|episode| rows.push(episode));
        let rows = rows.finish();
        async move { judged(self.judge, rows?).await }
    }
}
