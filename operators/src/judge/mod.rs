//! judge: anything that scores rollouts, asked in parallel, with a deadline, failing into typed nulls.

mod ask;
pub mod attention;
mod hash;
mod in_round;
mod judges;
pub mod likelihood;
mod rollout;
mod scores;
mod tally;
pub mod verifiers;

pub use in_round::RoundJudges;
pub use judges::{Answered, JudgedBatch, Judges, Question};
pub use rollout::Judged;
pub use scores::{Judgement, signal, signal_name, status};
pub use tally::Tally;

use std::sync::Arc;

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
    /// What tells its weights from those of another model at the same version: a hash of the
    /// directory that it was loaded from. Empty for the policy in training.
    pub model: String,
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

    /// Level of its scores: `rollout`, `turn`, `step`, `token`, a level that the data brings, or a
    /// pair such as `turn.test`, whose signal is `turn_test_<name>`.
    fn level(&self) -> &str;

    /// Columns that it reads; their content is what makes a stored score stale.
    fn reads(&self) -> Vec<String>;

    /// True where it computes for long without awaiting anything: it then gets a thread of its own,
    /// so that it cannot keep others waiting.
    fn blocks(&self) -> bool {
        false
    }

    /// True where its scores depend on the policy of the context; then the policy's version is part
    /// of what makes a stored score stale.
    fn asks_policy(&self) -> bool {
        false
    }

    /// One score per element of the level (one at rollout level); null where it has no opinion. At a
    /// pair level, the scores of the first outer element come first, as many for each.
    async fn judge(
        &self,
        rollout: Judged<'_>,
        context: &JudgeContext,
    ) -> std::result::Result<Vec<Option<f64>>, Failure>;
}
