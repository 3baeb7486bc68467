//! The stages of the closed loop: what the engine calls at sample, judge and update.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use meed_operators::columns::Table;
use meed_operators::engine::{Loop, SampleCall, Work, owner_of_group, rows_of, table_of};
use meed_operators::judge::{JudgeContext, Judges, RoundJudges};
use meed_operators::policy::Tokenizer;
use meed_operators::sample::{JudgeRollouts, JudgedRollouts, Prompt, SampleRequest, Sampler, judged};
use meed_operators::{Error, Result};

use super::policies::{Policies, Published, version_of};
use super::updater::Updater;

/// The prompts of an epoch: the same list in every worker and every attempt.
pub type Prompts = Arc<dyn Fn(u64) -> Result<Vec<Prompt>> + Send + Sync>;

/// Rollouts and scores of epochs that an earlier attempt committed without their update: they are taken
/// as they are, not sampled again.
pub type Replay = BTreeMap<u64, Vec<RecordBatch>>;

/// Everything that the loop's stages share.
pub(super) struct Stages {
    pub(super) prompts: Prompts,
    pub(super) sampler: Arc<Sampler>,
    pub(super) judges: Judges,
    pub(super) policies: Policies,
    pub(super) updater: Arc<Mutex<Updater>>,
    pub(super) replay: Arc<Replay>,
    pub(super) stopped: Arc<AtomicU64>,
    pub(super) seed: u64,
    pub(super) staleness: u64,
}

/// Leaves the judging to the operator after sample.
struct Later;

#[async_trait]
impl JudgeRollouts for Later {
    async fn judge_rollouts(&self, rollouts: RecordBatch) -> Result<JudgedRollouts> {
        Ok(JudgedRollouts { rollouts, scores: Vec::new() })
    }
}

impl Stages {
    /// Judges for an epoch, in the order of its policy.
    fn asked(&self, epoch: u64) -> Result<(Published, RoundJudges)> {
        let published = self.policies.get(version_of(epoch, self.staleness))?;
        let tokenizer: Arc<dyn Tokenizer> = self.sampler.tokenizer.clone();
        let context = JudgeContext {
            policy: Some(published.policy.clone()),
            tokenizer: Some(tokenizer),
            ..JudgeContext::default()
        };
        Ok((published, RoundJudges { judges: self.judges.clone(), context }))
    }
}

impl Loop for Stages {
    fn sample(&self, call: SampleCall) -> Work {
        let SampleCall { epoch, worker, peers } = call;
        if let Some(stored) = self.replay.get(&epoch) {
            // One worker takes up what was stored: where rows are does not matter from here on.
            let stored = if worker == 0 { stored.clone() } else { Vec::new() };
            return Box::pin(async move { Ok(stored) });
        }
        if epoch >= self.stopped.load(Ordering::Acquire) {
            return Box::pin(async { Ok(Vec::new()) });
        }
        let (prompts, sampler, seed) = (self.prompts.clone(), self.sampler.clone(), self.seed);
        let asked = self.asked(epoch);
        Box::pin(async move {
            let (published, asked) = asked?;
            let iteration = i64::try_from(epoch).map_err(|error| Error::external("sampling", error, ""))?;
            let mut prompts = prompts(epoch)?;
            let together = sampler.strategy.decides_by_batch();
            let owner = |prompt: &Prompt| match together {
                true => 0,
                false => owner_of_group(iteration, &prompt.group_id, peers),
            };
            prompts.retain(|prompt| owner(prompt) == worker);
            if prompts.is_empty() {
                return Ok(Vec::new());
            }
            let judge: &dyn JudgeRollouts = match sampler.strategy.needs_rewards() {
                true => &asked,
                false => &Later,
            };
            let sampled = sampler
                .sample(SampleRequest {
                    policy: published.policy,
                    prompts: &prompts,
                    iteration,
                    seed,
                    judge,
                    history: &published.history,
                })
                .await?;
            let mut rows = vec![rows_of(Table::Rollouts, &sampled.rollouts)?];
            for scores in sampled.scores {
                rows.push(rows_of(Table::Scores, &scores)?);
            }
            if let Some(nodes) = sampled.nodes {
                rows.push(rows_of(Table::Nodes, &nodes)?);
            }
            rows.retain(|rows| rows.num_rows() > 0);
            Ok(rows)
        })
    }

    fn judge(&self, epoch: u64, rows: RecordBatch) -> Work {
        let judged_before = self.sampler.strategy.needs_rewards() || self.replay.contains_key(&epoch);
        if judged_before || table_of(&rows) != Some(Table::Rollouts) {
            return Box::pin(async move { Ok(vec![rows]) });
        }
        let asked = self.asked(epoch);
        Box::pin(async move {
            let (_, asked) = asked?;
            let judged = judged(&asked, rows).await?;
            let mut out = vec![rows_of(Table::Rollouts, &judged.rollouts)?];
            for scores in judged.scores {
                out.push(rows_of(Table::Scores, &scores)?);
            }
            out.retain(|rows| rows.num_rows() > 0);
            Ok(out)
        })
    }

    fn update(&self, epoch: u64, rows: Vec<RecordBatch>) -> Work {
        let updater = self.updater.clone();
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || {
                updater.lock().unwrap_or_else(PoisonError::into_inner).update(epoch, rows)
            });
            done.await.map_err(|error| Error::external("updating the policy", error, "this is a defect"))?
        })
    }
}
