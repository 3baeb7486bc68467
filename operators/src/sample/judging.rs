//! What sample asks of judge: rewards for the rollouts of a round.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Float64Type};
use async_trait::async_trait;

use crate::columns::with_columns;
use crate::{Error, Place, Result};

/// Rollouts with their rewards, and what was said about them.
#[derive(Debug, Clone)]
pub struct JudgedRollouts {
    /// The same rows in the same order, with `reward` and `reward_status` filled and signals added.
    pub rollouts: RecordBatch,
    /// Rows of the table `scores`.
    pub scores: Vec<RecordBatch>,
}

/// Anything that gives rewards to the rollouts of one round of sampling.
///
/// A reward that is not known is null with its reason in `reward_status`. Batches without rows are
/// judged like any other: the columns that are added do not depend on the rows.
#[async_trait]
pub trait JudgeRollouts: Send + Sync {
    /// Judges a batch of rollouts.
    ///
    /// # Errors
    /// What ends the run; a judgement that failed is a null with a reason.
    async fn judge_rollouts(&self, rollouts: RecordBatch) -> Result<JudgedRollouts>;
}

/// The reward is the sum of the rewards that the environment gave; null where it gave none.
#[derive(Debug, Clone, Copy, Default)]
pub struct EpisodeReward;

#[async_trait]
impl JudgeRollouts for EpisodeReward {
    async fn judge_rollouts(&self, rollouts: RecordBatch) -> Result<JudgedRollouts> {
        let missing = || Error::data(Place::default().column("step_rewards"), "the column is missing", "");
        let steps = rollouts.column_by_name("step_rewards").ok_or_else(missing)?;
        let steps = steps.as_list_opt::<i32>().ok_or_else(missing)?;
        let sum = |rewards: ArrayRef| -> Option<f64> {
            let known: Vec<f64> = rewards.as_primitive_opt::<Float64Type>()?.iter().flatten().collect();
            (!known.is_empty()).then(|| known.iter().sum())
        };
        let rewards: Float64Array = steps.iter().map(|rewards| rewards.and_then(sum)).collect();
        let reasons =
            rewards.iter().map(|reward| reward.is_none().then_some("the environment gave no reward"));
        let reasons: StringArray = reasons.collect();
        let rollouts = replace(rollouts, "reward", Arc::new(rewards))?;
        let rollouts = replace(rollouts, "reward_status", Arc::new(reasons))?;
        Ok(JudgedRollouts { rollouts, scores: Vec::new() })
    }
}

/// A batch with a column put in the place of the one of that name, or at the end.
pub(super) fn replace(batch: RecordBatch, name: &str, array: ArrayRef) -> Result<RecordBatch> {
    let nullable = batch.schema().field_with_name(name).map_or(true, Field::is_nullable);
    let field = Field::new(name, array.data_type().clone(), nullable);
    with_columns(batch, [(field, array)])
}

/// Has rollouts judged, and holds the judge to its contract: the rows that it was given, with columns
/// added. A rollout that broke off for a reason that is not the policy's has no reward, whatever the judge
/// says, and keeps its reason.
///
/// # Errors
/// What the judge fails with as a whole, and a judge that changes rows.
pub async fn judged(judge: &dyn JudgeRollouts, rows: RecordBatch) -> Result<JudgedRollouts> {
    let judged = judge.judge_rollouts(rows.clone()).await?;
    checked(&rows, judged)
}

/// Checks that a judge gave back the rows that it was given, and takes the reward from rollouts that
/// broke off for reasons that are not the policy's.
fn checked(given: &RecordBatch, judged: JudgedRollouts) -> Result<JudgedRollouts> {
    for key in ["iteration", "group_id", "rollout_id", "status"] {
        if given.column_by_name(key) != judged.rollouts.column_by_name(key) {
            return Err(Error::data(
                Place::default().column(key),
                "the judge changed it",
                "a judge returns the rows that it was given, in their order, with columns added",
            ));
        }
    }
    let batch = judged.rollouts;
    let text = |name: &str| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let reward = batch.column_by_name("reward").and_then(|column| column.as_primitive_opt::<Float64Type>());
    let (Some(reward), Some(reasons), Some(status)) = (reward, text("reward_status"), text("status")) else {
        return Err(Error::data(
            Place::default().column("reward"),
            "`reward` or `reward_status` is gone, or has another type",
            "a judge fills both columns",
        ));
    };
    let failed = |row: usize| matches!(status.value(row), "aborted" | "error");
    let given_reasons =
        given.column_by_name("reward_status").and_then(|column| column.as_string_opt::<i32>());
    let finite = |row: usize| reward.is_valid(row) && reward.value(row).is_finite();
    let rewards: Float64Array =
        (0..batch.num_rows()).map(|row| (!failed(row) && finite(row)).then(|| reward.value(row))).collect();
    let reasons: StringArray = (0..batch.num_rows())
        .map(|row| match given_reasons {
            Some(given) if failed(row) => Some(given.value(row)),
            _ if reward.is_valid(row) && !finite(row) => Some("the reward is not a finite number"),
            _ => reasons.is_valid(row).then(|| reasons.value(row)),
        })
        .collect();
    let batch = replace(batch.clone(), "reward", Arc::new(rewards))?;
    let rollouts = replace(batch, "reward_status", Arc::new(reasons))?;
    Ok(JudgedRollouts { rollouts, scores: judged.scores })
}
