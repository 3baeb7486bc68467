//! judge: anything that scores rollouts, asked in parallel, with a deadline, failing into typed nulls.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use serde_json::Value;

use crate::policy::{Policy, Tokenizer};

/// What judges may need beyond the rollout: the policy that is being trained, for likelihoods.
#[derive(Clone, Default)]
pub struct JudgeContext {
    /// The policy that likelihoods are asked of.
    pub policy: Option<Arc<dyn Policy>>,
    /// Its tokenizer.
    pub tokenizer: Option<Arc<dyn Tokenizer>>,
}

/// Why there is no score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The judge said so, or broke.
    Error(String),
    /// No answer within the deadline.
    Timeout(String),
    /// The answer is no score: not a number, or not one per element of the level.
    Invalid(String),
    /// The rollout lacks what the judge reads.
    Missing(String),
}

/// One rollout as a judge sees it: a row of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// The rollouts.
    pub batch: &'a RecordBatch,
    /// The row.
    pub row: usize,
}

/// Anything that scores one rollout at a time.
#[async_trait]
pub trait Judge: Send + Sync {
    /// Its name: it adds the signal `<level>_<name>`, or `<name>` at rollout level.
    fn name(&self) -> &str;

    /// Changes when its scores may change.
    fn version(&self) -> &str;

    /// Its parameters, for lineage.
    fn parameters(&self) -> Value {
        Value::Null
    }

    /// Level of its scores: `rollout`, `turn`, `step`, `token` or a level that the data brings.
    fn level(&self) -> &str;

    /// Columns that it reads; their content is what makes a stored score stale.
    fn reads(&self) -> Vec<String>;

    /// One score per element of the level (one at rollout level); null where it has no opinion.
    async fn judge(
        &self,
        rollout: Judged<'_>,
        context: &JudgeContext,
    ) -> std::result::Result<Vec<Option<f64>>, Failure>;
}
