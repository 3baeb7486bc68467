//! Judges as sample asks for them: with the context they need.

use arrow::array::RecordBatch;
use async_trait::async_trait;

use super::{JudgeContext, JudgedBatch, Judges};
use crate::Result;
use crate::sample::{JudgeRollouts, JudgedRollouts};

/// Judges of the rollouts of a round, with the policy that made them.
#[derive(Clone)]
pub struct RoundJudges {
    /// The judges; one of them gives the reward.
    pub judges: Judges,
    /// What they may ask.
    pub context: JudgeContext,
}

#[async_trait]
impl JudgeRollouts for RoundJudges {
    async fn judge_rollouts(&self, rollouts: RecordBatch) -> Result<JudgedRollouts> {
        let JudgedBatch { rollouts, scores } = self.judges.judge(rollouts, &self.context).await?;
        Ok(JudgedRollouts { rollouts, scores: vec![scores] })
    }
}
