//! R3L: the policy reflects on its rollouts and tries again from where they went wrong.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, new_null_array};
use arrow::compute::{concat_batches, filter_record_batch, not};
use arrow::datatypes::{DataType, Field, SchemaRef};
use async_trait::async_trait;
use serde_json::Value;

use super::Strategy;
use super::groups::rewards;
use super::pivot::{FULL_REWARD, Outcome, Reflection, pivot_mask, select};
use crate::Result;
use crate::columns::list_of;
use crate::sample::judging::replace;
use crate::sample::{Episode, Prompt, RolloutBuilder, Round, Sampled, with_signals};

/// What the policy is asked about a rollout of its own, given the prompt, the rollout and its reward.
pub type ReflectionPrompt = dyn Fn(&Prompt, &Episode, Option<f64>) -> String + Send + Sync;

/// The whole text of a prompt with a reflection as guidance.
pub type GuidedPrompt = dyn Fn(&Prompt, &str) -> String + Send + Sync;

/// Reflect-then-retry sampling (R3L; shiweijiezero/R3L, `R3L_workflow.py`). Half of the group are base
/// rollouts. The policy reflects on each; where the reflection names a turn to retry from, the turns
/// before it are kept, repeated to a fresh environment, and the rest is sampled again with the reflection
/// as guidance. What enters training is said by [`select`](super::select).
///
/// Base rollouts and retries form the prompt's group. A retry is recorded under the plain prompt, though
/// its log-probabilities from the pivot on are those under the guided one (`sample.seen` in `metadata`);
/// what it shares with the base has the base's. Chosen reflections
/// and guided copies of retries (prompt with guidance) are groups of their own with reward 1, as the
/// method gives it; no judge sees them. Retries whose environment failed are dropped.
///
/// Adds the columns `kind` (`base`, `retry`, `reflection`, `guided_retry`), `parent_rollout_id`,
/// `retry_from_step` and `token_train_mask`: `token_mask` without the turns that base and retry share.
#[derive(Clone)]
pub struct RetryFromPivot {
    /// Asks for a reflection. The answer is to hold a JSON object, see [`Reflection::parse`](super::Reflection::parse).
    pub reflection_prompt: Arc<ReflectionPrompt>,
    /// Gives the guidance of a retry.
    pub guided_prompt: Arc<GuidedPrompt>,
}

#[async_trait]
impl Strategy for RetryFromPivot {
    fn name(&self) -> &str {
        "r3l"
    }

    async fn sample(&self, round: &Round<'_>, prompts: &[Arc<Prompt>]) -> Result<Sampled> {
        let half = (round.sampler.group_size / 2).max(1);
        let mut bases = Vec::new();
        for prompt in prompts {
            for number in 0..half {
                bases.push(round.episode(prompt, number)?);
            }
        }
        let mut bases = round.run(bases).await?;
        let base_judged = round.judge(&bases, &[]).await?;
        let base_rewards = rewards(&base_judged.rollouts)?;

        let mut reflections = Vec::new();
        for (index, base) in bases.iter().enumerate() {
            let text = (self.reflection_prompt)(&base.prompt, base, base_rewards[index]);
            reflections.push(aside(round, base, "reflect", text)?);
        }
        let mut reflections = round.run_alone(reflections, None).await?;
        let said: Vec<Option<Reflection>> =
            reflections.iter().map(|episode| reflected(round, episode)).collect();

        let mut retries = Vec::new();
        // The base of each retry, and the other way round.
        let mut retried = Vec::new();
        let mut guidance = vec![None; bases.len()];
        for (index, base) in bases.iter().enumerate() {
            let failed = base.status.is_some_and(|status| status.is_failure());
            let pivot = said[index].as_ref().and_then(|reflection| reflection.pivot(base.turns()));
            let Some(pivot) = pivot.filter(|_| !failed) else {
                continue;
            };
            let text = round.sampler.tokenizer.decode(&reflections[index].tokens).unwrap_or_default();
            let seen = (self.guided_prompt)(&base.prompt, &text);
            let mut retry = round.fork(base, turn_start(base, pivot), half + index % half);
            retry.seen_ids = Some(round.encode(&base.prompt, &seen)?);
            retry.notes.insert("seen".to_owned(), Value::from(seen.clone()));
            guidance[index] = Some(seen);
            retries.push(retry);
            retried.push(index);
        }
        let mut retries = round.run(retries).await?;
        let retry_judged = round.judge(&retries, &[]).await?;
        let retry_rewards = rewards(&retry_judged.rollouts)?;

        let mut aside_rows = Vec::new();
        let mut retry_of: Vec<Option<usize>> = vec![None; bases.len()];
        for (number, &index) in retried.iter().enumerate() {
            retry_of[index] = Some(number);
        }
        let mut kept_retries = vec![false; retries.len()];
        for (index, base) in bases.iter_mut().enumerate() {
            let outcome = |episode: &Episode, reward| Outcome { reward, turns: episode.turns() };
            let retry = retry_of[index].filter(|number| !is_failure(&retries[*number]));
            let selection = select(
                outcome(base, base_rewards[index]),
                said[index].as_ref(),
                retry.map(|number| outcome(&retries[number], retry_rewards[number])),
            );
            let parent = base.rollout_id.clone();
            mark(base, "base", None, None, selection.retry_from.unwrap_or(0));
            if let Some(number) = retry_of[index] {
                let pivot = selection.retry_from;
                mark(&mut retries[number], "retry", Some(&parent), pivot, pivot.unwrap_or(0));
                kept_retries[number] = pivot.is_some();
            }
            if selection.reflection {
                mark(&mut reflections[index], "reflection", Some(&parent), None, 0);
                aside_rows.push(reflections[index].clone());
            }
            if let (true, Some(number), Some(seen)) = (selection.guided, retry, &guidance[index]) {
                let mut guided = Episode {
                    tokens: retries[number].tokens.clone(),
                    mask: retries[number].mask.clone(),
                    logprobs: retries[number].logprobs.clone(),
                    entropies: retries[number].entropies.clone(),
                    steps: retries[number].steps.clone(),
                    status: retries[number].status,
                    ..aside(round, base, "guided", seen.clone())?
                };
                let pivot = selection.retry_from;
                mark(&mut guided, "guided_retry", Some(&parent), pivot, pivot.unwrap_or(0));
                aside_rows.push(guided);
            }
        }
        let base_rows = with_signals(base_judged.rollouts, &bases, &columns())?;
        let retry_rows = with_signals(retry_judged.rollouts, &retries, &columns())?;
        let schema = base_rows.schema();
        let kept = BooleanArray::from(kept_retries);
        let dropped = filter_record_batch(&retry_rows, &not(&kept)?)?;
        let retry_rows = filter_record_batch(&retry_rows, &kept)?;
        let aside_rows = rewarded(round, &aside_rows, &schema)?;
        Ok(Sampled {
            rollouts: concat_batches(&schema, [&base_rows, &retry_rows, &aside_rows])?,
            scores: [base_judged.scores, retry_judged.scores].concat(),
            nodes: None,
            dropped: Some(dropped),
        })
    }
}

fn columns() -> Vec<Field> {
    vec![
        Field::new("kind", DataType::Utf8, true),
        Field::new("parent_rollout_id", DataType::Utf8, true),
        Field::new("retry_from_step", DataType::Int64, true),
        Field::new("token_train_mask", list_of(DataType::Boolean), true),
    ]
}

/// An episode beside a base rollout, in a group of its own and with a prompt of its own.
fn aside(round: &Round<'_>, base: &Episode, name: &str, text: String) -> Result<Episode> {
    let (group, number) = base.rollout_id.rsplit_once('/').unwrap_or((&base.group_id, &base.rollout_id));
    let group_id = format!("{group}/{name}-{number}");
    round.episode(&Arc::new(Prompt { group_id, text, ..base.prompt.as_ref().clone() }), 0)
}

fn reflected(round: &Round<'_>, episode: &Episode) -> Option<Reflection> {
    Reflection::parse(&round.sampler.tokenizer.decode(&episode.tokens).ok()?)
}

fn is_failure(episode: &Episode) -> bool {
    episode.status.is_some_and(|status| status.is_failure())
}

/// The first token of a policy turn.
fn turn_start(episode: &Episode, turn: usize) -> usize {
    let at = episode.steps.iter().enumerate().filter(|(_, step)| step.policy).nth(turn);
    at.and_then(|(index, _)| index.checked_sub(1)).map_or(0, |before| episode.steps[before].end)
}

fn mark(episode: &mut Episode, kind: &str, parent: Option<&str>, pivot: Option<usize>, masked: usize) {
    let ends: Vec<usize> = episode.steps.iter().filter(|step| step.policy).map(|step| step.end).collect();
    let mask = pivot_mask(&episode.mask, &ends, masked);
    episode.signals.extend([
        ("kind".to_owned(), Value::from(kind)),
        ("parent_rollout_id".to_owned(), Value::from(parent)),
        ("retry_from_step".to_owned(), Value::from(pivot)),
        ("token_train_mask".to_owned(), Value::from(mask)),
    ]);
}

/// Rows with reward 1 in the schema of judged ones, whose further columns are null.
fn rewarded(round: &Round<'_>, episodes: &[Episode], schema: &SchemaRef) -> Result<RecordBatch> {
    let mut rows = RolloutBuilder::new(round.iteration, round.sampler.tokenizer.as_ref(), &columns());
    episodes.iter().for_each(|episode| rows.push(episode));
    let rows = rows.finish()?;
    let rows = replace(rows, "reward", Arc::new(Float64Array::from_value(FULL_REWARD, episodes.len())))?;
    let rows = replace(rows, "reward_status", Arc::new(StringArray::new_null(episodes.len())))?;
    let arrays = schema.fields().iter().map(|field| -> ArrayRef {
        match rows.column_by_name(field.name()) {
            Some(column) => column.clone(),
            None => new_null_array(field.data_type(), episodes.len()),
        }
    });
    Ok(RecordBatch::try_new(schema.clone(), arrays.collect())?)
}
