//! Rollouts to record batches: tokens, masks and step columns in the schema of `rollouts`.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::json::ReaderBuilder;
use meed_operators::columns::Table;
use meed_operators::{Error, Result};
use serde::Serialize;
use serde_json::{Map, Value};

use super::ImportOptions;
use super::rollout::{Rollout, Step};

/// A batch is finished early at this many bytes of text and tokens, so that a few very long
/// rollouts do not make a batch of gigabytes.
const BATCH_BYTES: usize = 16 << 20;

/// Columns of `rollouts` that rows of every importer have.
const ALWAYS: [&str; 13] = [
    "iteration",
    "group_id",
    "rollout_id",
    "status",
    "prompt",
    "response",
    "reward",
    "prompt_ids",
    "token_ids",
    "token_mask",
    "step_ends",
    "step_kinds",
    "step_texts",
];

/// Collects rollouts and writes them as record batches.
///
/// A row has keys, texts, reward, tokens and the ends, kinds and texts of steps, and the columns that the importer
/// names beside them, in the order of the schema, then its signals.
/// `token_mask` is true on the tokens of policy steps; `step_ends` are exclusive offsets, the last
/// of which is the number of tokens; without steps all these lists are empty.
pub struct RowBuilder {
    options: ImportOptions,
    schema: SchemaRef,
    step_signals: Vec<String>,
    rows: Vec<Row>,
    bytes: usize,
}

impl RowBuilder {
    /// A builder for rows with the named columns of `rollouts` beside those of all, and further signals.
    ///
    /// # Errors
    /// A name that is no column of `rollouts`.
    pub fn new(columns: &[&str], signals: Vec<Field>, options: &ImportOptions) -> Result<Self> {
        let all = Table::Rollouts.schema();
        let named = ALWAYS.iter().chain(columns);
        let mut chosen: Vec<usize> =
            named.map(|column| all.index_of(column)).collect::<std::result::Result<_, _>>()?;
        chosen.sort_unstable();
        let mut fields: Vec<Arc<Field>> = all.project(&chosen)?.fields().to_vec();
        let step_signals = signals
            .iter()
            .filter(|field| field.name().starts_with("step_"))
            .map(|field| field.name().clone())
            .collect();
        fields.extend(signals.into_iter().map(Arc::new));
        Ok(RowBuilder {
            options: options.clone(),
            schema: Arc::new(Schema::new(fields)),
            step_signals,
            rows: Vec::new(),
            bytes: 0,
        })
    }

    /// Schema of the batches.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Adds a rollout.
    ///
    /// # Errors
    /// Text that the tokenizer refuses, or more tokens than 32-bit offsets can count; with the
    /// rollout's place. The builder stays as it was.
    pub fn push(&mut self, rollout: Rollout) -> Result<()> {
        let place = rollout.place.clone().rollout(&rollout.rollout_id);
        let row = Row::new(rollout, &self.step_signals, &self.options).map_err(|error| {
            let hint = error.hint().to_owned();
            Error::data(place, error.to_string(), hint)
        })?;
        self.bytes += row.bytes();
        self.rows.push(row);
        Ok(())
    }

    /// True once a batch should be taken.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= self.options.batch_rows.max(1) || self.bytes >= BATCH_BYTES
    }

    /// The collected rows as a batch; `None` if there are none.
    ///
    /// # Errors
    /// A signal whose value does not have the type of its column.
    pub fn finish(&mut self) -> Result<Option<RecordBatch>> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        if rows.is_empty() {
            return Ok(None);
        }
        let mut decoder =
            ReaderBuilder::new(self.schema.clone()).with_batch_size(rows.len()).build_decoder()?;
        decoder.serialize(&rows)?;
        Ok(decoder.flush()?)
    }
}

/// One row, with the names of the columns.
#[derive(Serialize)]
struct Row {
    iteration: i64,
    group_id: String,
    rollout_id: String,
    status: &'static str,
    prompt: Option<String>,
    response: Option<String>,
    reference: Option<String>,
    reward: Option<f64>,
    reward_status: Option<String>,
    prompt_ids: Option<Vec<i32>>,
    token_ids: Vec<i32>,
    token_mask: Vec<bool>,
    step_ends: Vec<i32>,
    step_kinds: Vec<&'static str>,
    step_turns: Vec<Option<i32>>,
    step_agents: Vec<Option<String>>,
    step_states: Vec<Option<String>>,
    step_actions: Vec<Option<String>>,
    step_rewards: Option<Vec<Option<f64>>>,
    step_values: Option<Vec<Option<f64>>>,
    step_nodes: Option<Vec<Option<i64>>>,
    step_texts: Vec<String>,
    metadata: Option<String>,
    #[serde(flatten)]
    signals: Map<String, Value>,
}

impl Row {
    fn new(rollout: Rollout, step_signals: &[String], options: &ImportOptions) -> Result<Row> {
        let mut token_ids = Vec::new();
        let mut token_mask = Vec::new();
        let mut step_ends = Vec::with_capacity(rollout.steps.len());
        for step in &rollout.steps {
            token_ids.extend(options.tokenizer.encode(&step.text)?);
            token_mask.resize(token_ids.len(), !step.is_environment());
            let end = i32::try_from(token_ids.len()).map_err(|_| {
                Error::usage(
                    format!("{} tokens are more than step_ends can count", token_ids.len()),
                    "split the rollout",
                )
            })?;
            step_ends.push(end);
        }
        let mut signals = rollout.signals;
        for name in step_signals {
            let values = rollout.steps.iter();
            let values = values.map(|step| step.signals.get(name).cloned().unwrap_or_default());
            signals.insert(name.clone(), values.collect());
        }
        let prompt_ids = rollout.prompt.as_deref();
        let metadata = rollout.metadata;
        Ok(Row {
            iteration: options.iteration,
            group_id: rollout.group_id,
            rollout_id: rollout.rollout_id,
            status: rollout.status,
            prompt_ids: prompt_ids.map(|text| options.tokenizer.encode(text)).transpose()?,
            prompt: rollout.prompt,
            response: rollout.response,
            reference: rollout.reference,
            reward: rollout.reward,
            reward_status: rollout.reward_status,
            token_ids,
            token_mask,
            step_ends,
            step_kinds: each(&rollout.steps, |step| step.kind),
            step_turns: each(&rollout.steps, |step| step.turn),
            step_agents: each(&rollout.steps, |step| step.agent.clone()),
            step_states: each(&rollout.steps, |step| step.state.clone()),
            step_actions: each(&rollout.steps, |step| step.action.clone()),
            step_rewards: known(&rollout.steps, |step| step.reward),
            step_values: known(&rollout.steps, |step| step.value),
            step_nodes: known(&rollout.steps, |step| step.node),
            step_texts: rollout.steps.into_iter().map(|step| step.text).collect(),
            metadata: (!metadata.is_empty()).then(|| Value::Object(metadata).to_string()),
            signals,
        })
    }

    /// Approximate size: five bytes a token, and the texts, which come twice.
    fn bytes(&self) -> usize {
        let texts = [&self.prompt, &self.response, &self.metadata];
        let texts: usize = texts.into_iter().flatten().map(String::len).sum();
        let prompt_tokens = self.prompt_ids.as_ref().map_or(0, Vec::len);
        2 * texts + 5 * (self.token_ids.len() + prompt_tokens)
    }
}

fn each<T>(steps: &[Step], value: impl Fn(&Step) -> T) -> Vec<T> {
    steps.iter().map(value).collect()
}

/// One value a step, where any step has one.
fn known<T>(steps: &[Step], value: impl Fn(&Step) -> Option<T>) -> Option<Vec<Option<T>>> {
    steps.iter().any(|step| value(step).is_some()).then(|| each(steps, value))
}
