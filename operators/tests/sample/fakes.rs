//! A policy, judges and helpers whose every answer is a function of what is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{ArrowPrimitiveType, Field, Float32Type, Float64Type, Int32Type, Int64Type, Schema};
use async_trait::async_trait;
use meed_operators::Result;
use meed_operators::columns::{OnError, accept};
use meed_operators::policy::{
    Characters, Continuation, Generated, Policy, Sampling, TokenBatch, TokenScores, Tokenizer,
};
use meed_operators::sample::{
    History, JudgeRollouts, JudgedRollouts, Prompt, SampleRequest, Sampled, Sampler,
};
use rand::RngCore;

/// Draws digits, letters and punctuation by the key and the position, with log-probabilities that
/// depend on the whole context. It ends with one draw in `end_in`.
pub struct Dice {
    pub end_in: u32,
    pub alphabet: &'static str,
    pub calls: AtomicUsize,
}

impl Dice {
    pub fn new(end_in: u32, alphabet: &'static str) -> Arc<Self> {
        Arc::new(Dice { end_in, alphabet, calls: AtomicUsize::new(0) })
    }

    /// What stands at a place, by what precedes it.
    pub fn logprob(context: &[i32], token: i32) -> f32 {
        let sum: i64 =
            context.iter().enumerate().map(|(at, token)| (at as i64 % 7 + 1) * i64::from(*token)).sum();
        -0.01 - ((sum * 31 + i64::from(token)) % 997) as f32 / 500.0
    }

    pub fn entropy(context: &[i32]) -> f32 {
        let sum: i64 =
            context.iter().enumerate().map(|(at, token)| (at as i64 % 5 + 1) * i64::from(*token)).sum();
        (sum % 613) as f32 / 300.0
    }
}

impl Policy for Dice {
    fn version(&self) -> i64 {
        0
    }

    fn generate(&self, continuations: &[Continuation], sampling: &Sampling) -> Result<Vec<Generated>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let alphabet = Characters.encode(self.alphabet)?;
        Ok(continuations
            .iter()
            .map(|asked| {
                let mut context = asked.context.clone();
                let mut generated = Generated::default();
                while generated.tokens.len() < asked.max_tokens && !generated.stopped {
                    let mut draw = asked.key.at(asked.position + generated.tokens.len() as u64);
                    let token = match draw.next_u32() % self.end_in {
                        0 => Characters.end(),
                        _ => alphabet[draw.next_u32() as usize % alphabet.len()],
                    };
                    generated.logprobs.push(Dice::logprob(&context, token));
                    generated.entropies.push(Dice::entropy(&context));
                    generated.tokens.push(token);
                    context.push(token);
                    generated.stopped = sampling.stop_tokens.contains(&token);
                }
                generated
            })
            .collect())
    }

    fn score(&self, batch: &TokenBatch, _temperature: f64) -> Result<TokenScores> {
        let mut scores = TokenScores::default();
        for rollout in 0..batch.len() {
            let mut context = batch.prompt(rollout).to_vec();
            for (at, token) in batch.response(rollout).iter().enumerate() {
                let wanted = batch.mask[batch.offsets[rollout] + at];
                scores.logprobs.push(if wanted { Dice::logprob(&context, *token) } else { 0.0 });
                scores.entropies.push(if wanted { Dice::entropy(&context) } else { 0.0 });
                context.push(*token);
            }
        }
        Ok(scores)
    }
}

/// Says what a function of the text so far and of a draw says, and ends.
pub struct Script(pub fn(&str, u32) -> String);

impl Policy for Script {
    fn version(&self) -> i64 {
        0
    }

    fn generate(&self, continuations: &[Continuation], sampling: &Sampling) -> Result<Vec<Generated>> {
        let answer = |asked: &Continuation| {
            let mut context = asked.context.clone();
            let draw = asked.key.at(asked.position).next_u32();
            let mut tokens = Characters.encode(&(self.0)(&Characters.decode(&context)?, draw))?;
            tokens.push(Characters.end());
            tokens.truncate(asked.max_tokens);
            let mut generated = Generated::default();
            for token in tokens {
                generated.logprobs.push(Dice::logprob(&context, token));
                generated.entropies.push(Dice::entropy(&context));
                generated.tokens.push(token);
                generated.stopped = sampling.stop_tokens.contains(&token);
                context.push(token);
                if generated.stopped {
                    break;
                }
            }
            Ok(generated)
        };
        continuations.iter().map(answer).collect()
    }

    fn score(&self, batch: &TokenBatch, temperature: f64) -> Result<TokenScores> {
        Dice { end_in: 1, alphabet: "", calls: AtomicUsize::new(0) }.score(batch, temperature)
    }
}

/// Rewards by a function of the prompt and the response.
pub struct Rule(pub fn(&str, &str) -> Option<f64>);

#[async_trait]
impl JudgeRollouts for Rule {
    async fn judge_rollouts(&self, rollouts: RecordBatch) -> Result<JudgedRollouts> {
        let rewards: Float64Array = (0..rollouts.num_rows())
            .map(|row| {
                let prompt = text(&rollouts, "prompt", row).unwrap();
                (self.0)(&prompt, &text(&rollouts, "response", row).unwrap_or_default())
            })
            .collect();
        let reasons: StringArray =
            rewards.iter().map(|reward| reward.is_none().then_some("the rule has no opinion")).collect();
        let rollouts = with(with(rollouts, "reward", Arc::new(rewards)), "reward_status", Arc::new(reasons));
        Ok(JudgedRollouts { rollouts, scores: Vec::new() })
    }
}

/// 1 where the response's characters sum to an even number, else 0.
pub fn even(_: &str, response: &str) -> Option<f64> {
    Some(f64::from(u8::from(response.bytes().map(u32::from).sum::<u32>() % 2 == 0)))
}

pub fn with(batch: RecordBatch, name: &str, array: ArrayRef) -> RecordBatch {
    let mut fields: Vec<Arc<Field>> = batch.schema().fields().iter().cloned().collect();
    let mut arrays = batch.columns().to_vec();
    match batch.schema().index_of(name) {
        Ok(index) => arrays[index] = array,
        Err(_) => {
            fields.push(Arc::new(Field::new(name, array.data_type().clone(), true)));
            arrays.push(array);
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

pub fn prompts(count: usize) -> Vec<Prompt> {
    (0..count)
        .map(|number| Prompt {
            group_id: format!("task-{number}"),
            text: format!("Q{number}: "),
            reference: Some(number.to_string()),
            metadata: Some(format!(r#"{{"number":{number}}}"#)),
        })
        .collect()
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()
}

pub fn sample_with(
    sampler: &Sampler,
    policy: Arc<dyn Policy>,
    prompts: &[Prompt],
    judge: &dyn JudgeRollouts,
    history: &History,
) -> Result<Sampled> {
    let request = SampleRequest { policy, prompts, iteration: 3, seed: 11, judge, history };
    let sampled = runtime().block_on(sampler.sample(request))?;
    let (rows, rejected) = accept(sampled.rollouts.clone(), "sampled", 0, OnError::Fail)?;
    assert_eq!((rows, rejected.len()), (sampled.rollouts.clone(), 0));
    Ok(sampled)
}

pub fn sample(sampler: &Sampler, policy: Arc<dyn Policy>, prompts: &[Prompt]) -> Sampled {
    sample_with(sampler, policy, prompts, &Rule(even), &History::default()).unwrap()
}

/// The rows of several requests as one batch.
pub fn joined(batches: &[RecordBatch]) -> RecordBatch {
    concat_batches(&batches[0].schema(), batches).unwrap()
}

pub fn text(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = batch.column_by_name(name).unwrap().as_string::<i32>();
    column.is_valid(row).then(|| column.value(row).to_owned())
}

pub fn texts(batch: &RecordBatch, name: &str) -> Vec<Option<String>> {
    (0..batch.num_rows()).map(|row| text(batch, name, row)).collect()
}

pub fn flag(batch: &RecordBatch, name: &str, row: usize) -> Option<bool> {
    let column = batch.column_by_name(name).unwrap().as_boolean();
    column.is_valid(row).then(|| column.value(row))
}

pub fn integer(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    let column = batch.column_by_name(name).unwrap().as_primitive::<Int64Type>();
    column.is_valid(row).then(|| column.value(row))
}

pub fn flags(batch: &RecordBatch, name: &str, row: usize) -> Vec<bool> {
    list(batch, name, row).as_boolean().iter().map(Option::unwrap).collect()
}

pub fn rewards(batch: &RecordBatch) -> Vec<Option<f64>> {
    batch.column_by_name("reward").unwrap().as_primitive::<Float64Type>().iter().collect()
}

fn list(batch: &RecordBatch, name: &str, row: usize) -> ArrayRef {
    batch.column_by_name(name).unwrap().as_list::<i32>().value(row)
}

fn numbers<T: ArrowPrimitiveType>(batch: &RecordBatch, name: &str, row: usize) -> Vec<Option<T::Native>> {
    list(batch, name, row).as_primitive::<T>().iter().collect()
}

pub fn integers(batch: &RecordBatch, name: &str, row: usize) -> Vec<i32> {
    numbers::<Int32Type>(batch, name, row).into_iter().map(Option::unwrap).collect()
}

pub fn floats(batch: &RecordBatch, name: &str, row: usize) -> Vec<Option<f32>> {
    numbers::<Float32Type>(batch, name, row)
}

pub fn doubles(batch: &RecordBatch, name: &str, row: usize) -> Vec<Option<f64>> {
    numbers::<Float64Type>(batch, name, row)
}

pub fn mask(batch: &RecordBatch, row: usize) -> Vec<bool> {
    flags(batch, "token_mask", row)
}

pub fn step_texts(batch: &RecordBatch, name: &str, row: usize) -> Vec<Option<String>> {
    list(batch, name, row).as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

/// What a rollout was sampled from, where that is not its prompt.
fn seen(batch: &RecordBatch, row: usize) -> Option<String> {
    let metadata: serde_json::Value = serde_json::from_str(&text(batch, "metadata", row)?).unwrap();
    metadata["sample"]["seen"].as_str().map(str::to_owned)
}

/// Checks what holds for every sampled row: log-probabilities stand exactly where the mask is true and
/// are those of the policy for what was seen, steps cover the tokens, and kinds follow the mask.
pub fn check_rows(batch: &RecordBatch) {
    for row in 0..batch.num_rows() {
        let (tokens, mask) = (integers(batch, "token_ids", row), mask(batch, row));
        let mut context = integers(batch, "prompt_ids", row);
        assert_eq!(context, Characters.encode(&text(batch, "prompt", row).unwrap()).unwrap());
        if let Some(seen) = seen(batch, row) {
            context = Characters.encode(&seen).unwrap();
        }
        assert_eq!(text(batch, "response", row).unwrap(), Characters.decode(&tokens).unwrap());
        let logprobs = floats(batch, "token_rollout_logprobs", row);
        let entropies = floats(batch, "token_entropies", row);
        // What a retry shares with its base was sampled from the base's prompt.
        let pivot = batch.column_by_name("token_train_mask").map(|_| flags(batch, "token_train_mask", row));
        for (at, token) in tokens.iter().enumerate() {
            if mask[at] && pivot.as_ref().is_some_and(|trained| !trained[at]) {
                context.push(*token);
                continue;
            }
            let wanted = mask[at].then(|| Dice::logprob(&context, *token));
            assert_eq!(logprobs[at], wanted, "row {row}, token {at}");
            assert_eq!(entropies[at], mask[at].then(|| Dice::entropy(&context)), "row {row}, token {at}");
            context.push(*token);
        }
        let mut start = 0;
        let steps = integers(batch, "step_ends", row).into_iter().zip(step_texts(batch, "step_kinds", row));
        for (step, (end, kind)) in steps.enumerate() {
            let span = start..end as usize;
            let policy = kind.as_deref() == Some("policy");
            assert!(mask[span.clone()].iter().all(|trained| *trained == policy), "row {row}, step {step}");
            let said = step_texts(batch, "step_texts", row)[step].clone().unwrap();
            assert_eq!(said, Characters.decode(&tokens[span]).unwrap());
            start = end as usize;
        }
        assert_eq!(start, tokens.len());
    }
}
