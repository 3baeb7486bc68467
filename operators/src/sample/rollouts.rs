//! From episodes to the rows of the table `rollouts`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, BooleanBuilder, Float32Builder, Float64Array, Float64Builder, Int32Builder,
    Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, Schema};
use serde_json::{Map, Value};

use super::Episode;
use super::judging::replace;
use crate::columns::{OnError, Table, accept};
use crate::policy::Tokenizer;
use crate::{Error, Place, Result};

/// Why the reward of a rollout is null that no judge has seen.
const NOT_JUDGED: &str = "not judged";

/// Collects episodes of one iteration as rollouts. The reward is null; tokens of the environment are
/// masked, and their log-probabilities and entropies are null.
pub struct RolloutBuilder<'a> {
    iteration: i64,
    tokenizer: &'a dyn Tokenizer,
    added: Vec<Field>,
    episodes: Vec<&'a Episode>,
}

impl<'a> RolloutBuilder<'a> {
    /// A builder of rows with the columns that a strategy adds: `Boolean`, `Int64`, `Float64`,
    /// `Utf8` or a list of `Boolean`. Every batch of a strategy has them, so that all batches have one schema.
    pub fn new(iteration: i64, tokenizer: &'a dyn Tokenizer, added: &[Field]) -> Self {
        RolloutBuilder { iteration, tokenizer, added: added.to_vec(), episodes: Vec::new() }
    }

    /// Adds an episode.
    pub fn push(&mut self, episode: &'a Episode) {
        self.episodes.push(episode);
    }

    /// The rows, in the order in which they were added.
    ///
    /// # Errors
    /// `Error::Data` where an episode breaks a rule of [`validate`](crate::columns::validate()), its
    /// prompt's metadata is no JSON, or a column of the strategy has a value of another type.
    pub fn finish(self) -> Result<RecordBatch> {
        let episodes = &self.episodes;
        let text = |of: &dyn Fn(&Episode) -> Option<String>| -> ArrayRef {
            Arc::new(episodes.iter().map(|episode| of(episode)).collect::<StringArray>())
        };
        let metadata: Vec<Option<String>> =
            episodes.iter().map(|episode| metadata(episode)).collect::<Result<_>>()?;
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("iteration", Arc::new(Int64Array::from_value(self.iteration, episodes.len()))),
            ("group_id", text(&|episode| Some(episode.group_id.clone()))),
            ("rollout_id", text(&|episode| Some(episode.rollout_id.clone()))),
            ("status", text(&|episode| Some(status(episode).to_owned()))),
            ("prompt", text(&|episode| Some(episode.prompt.text.clone()))),
            ("response", text(&|episode| self.tokenizer.decode(&episode.tokens).ok())),
            ("reference", text(&|episode| episode.prompt.reference.clone())),
            ("reward", Arc::new(Float64Array::new_null(episodes.len()))),
            ("reward_status", text(&|episode| Some(reward_status(episode)))),
            ("prompt_ids", integers(episodes, |episode| episode.prompt_ids.clone())),
            ("token_ids", integers(episodes, |episode| episode.tokens.clone())),
            ("token_mask", mask(episodes)),
            ("token_rollout_logprobs", floats(episodes, |episode| &episode.logprobs)),
            ("token_entropies", floats(episodes, |episode| &episode.entropies)),
            ("step_ends", integers(episodes, ends)),
            ("step_kinds", texts(episodes, |step| Some(kind(step.policy)))),
            ("step_turns", integers(episodes, turns)),
            ("step_states", texts(episodes, |step| step.state.as_deref())),
            ("step_actions", texts(episodes, |step| step.action.as_deref())),
            ("step_texts", texts(episodes, |step| step.text.as_deref())),
            ("step_rewards", rewards(episodes)),
            ("metadata", Arc::new(StringArray::from(metadata))),
        ];
        let mut fields = Vec::new();
        let mut arrays = Vec::new();
        for (name, array) in columns {
            let nullable = Table::Rollouts.column(name).is_none_or(|column| column.nullable);
            fields.push(Field::new(name, array.data_type().clone(), nullable));
            arrays.push(array);
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
        let batch = add_signals(batch, episodes, &self.added)?;
        Ok(accept(batch, "sampled rollouts", 0, OnError::Fail)?.0)
    }
}

/// The rollouts of these episodes, in their order, with columns that a strategy fills only after the
/// rollouts were judged.
///
/// # Errors
/// `Error::Data` where a column has a value of another type.
pub fn with_signals(batch: RecordBatch, episodes: &[Episode], fields: &[Field]) -> Result<RecordBatch> {
    add_signals(batch, &episodes.iter().collect::<Vec<_>>(), fields)
}

fn add_signals(mut batch: RecordBatch, episodes: &[&Episode], fields: &[Field]) -> Result<RecordBatch> {
    for field in fields {
        batch = replace(batch, field.name(), added(episodes, field)?)?;
    }
    Ok(batch)
}

/// An episode that nothing has ended is cut off by whoever records it.
fn status(episode: &Episode) -> &'static str {
    episode.status.map_or("truncated", |status| status.as_str())
}

fn reward_status(episode: &Episode) -> String {
    match (&episode.status, &episode.reason) {
        (Some(status), Some(reason)) if status.is_failure() => reason.clone(),
        _ => NOT_JUDGED.to_owned(),
    }
}

fn kind(policy: bool) -> &'static str {
    if policy { "policy" } else { "observation" }
}

fn ends(episode: &Episode) -> Vec<i32> {
    episode.steps.iter().map(|step| step.end as i32).collect()
}

fn turns(episode: &Episode) -> Vec<i32> {
    episode.steps.iter().map(|step| step.turn as i32).collect()
}

/// The prompt's metadata, with what the sampler has to say as its member `sample`.
fn metadata(episode: &Episode) -> Result<Option<String>> {
    let mut notes = episode.notes.clone();
    if let Some(reason) = &episode.reason {
        notes.insert("reason".to_owned(), Value::from(reason.clone()));
    }
    if notes.is_empty() {
        return Ok(episode.prompt.metadata.clone());
    }
    let mut object = match &episode.prompt.metadata {
        None => Map::new(),
        Some(text) => match serde_json::from_str(text) {
            Ok(Value::Object(object)) => object,
            Ok(other) => Map::from_iter([("prompt".to_owned(), other)]),
            Err(error) => {
                return Err(Error::data(
                    Place::default().rollout(&episode.rollout_id).column("metadata"),
                    format!("the prompt's metadata is no JSON: {error}"),
                    "write an object, or leave it out",
                ));
            }
        },
    };
    object.insert("sample".to_owned(), Value::Object(notes));
    Ok(Some(Value::Object(object).to_string()))
}

fn element(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("element", data_type, true))
}

fn integers(episodes: &[&Episode], of: impl Fn(&Episode) -> Vec<i32>) -> ArrayRef {
    let mut lists = ListBuilder::new(Int32Builder::new()).with_field(element(DataType::Int32));
    for episode in episodes {
        lists.values().append_slice(&of(episode));
        lists.append(true);
    }
    Arc::new(lists.finish())
}

fn mask(episodes: &[&Episode]) -> ArrayRef {
    let mut lists = ListBuilder::new(BooleanBuilder::new()).with_field(element(DataType::Boolean));
    for episode in episodes {
        lists.values().append_slice(&episode.mask);
        lists.append(true);
    }
    Arc::new(lists.finish())
}

fn floats(episodes: &[&Episode], of: impl Fn(&Episode) -> &Vec<Option<f32>>) -> ArrayRef {
    let mut lists = ListBuilder::new(Float32Builder::new()).with_field(element(DataType::Float32));
    for episode in episodes {
        of(episode).iter().for_each(|value| lists.values().append_option(*value));
        lists.append(true);
    }
    Arc::new(lists.finish())
}

fn rewards(episodes: &[&Episode]) -> ArrayRef {
    let mut lists = ListBuilder::new(Float64Builder::new()).with_field(element(DataType::Float64));
    for episode in episodes {
        episode.steps.iter().for_each(|step| lists.values().append_option(step.reward));
        lists.append(true);
    }
    Arc::new(lists.finish())
}

fn texts<'a>(episodes: &[&'a Episode], of: impl Fn(&'a super::Step) -> Option<&'a str>) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new()).with_field(element(DataType::Utf8));
    for episode in episodes {
        episode.steps.iter().for_each(|step| lists.values().append_option(of(step)));
        lists.append(true);
    }
    Arc::new(lists.finish())
}

/// A column of the strategy; null where an episode has no value for it.
fn added(episodes: &[&Episode], field: &Field) -> Result<ArrayRef> {
    let name = field.name();
    let value = |episode: &&Episode| episode.signals.get(name).cloned().unwrap_or(Value::Null);
    let wrong = |episode: &&Episode| {
        Error::data(
            Place::default().rollout(&episode.rollout_id).column(name),
            format!("{} is no {}", value(episode), field.data_type()),
            "a strategy declares the columns that it fills, with their types",
        )
    };
    fn cells<T>(
        episodes: &[&Episode],
        cell: impl Fn(&&Episode) -> Value,
        read: impl Fn(&Value) -> Option<T>,
        wrong: impl Fn(&&Episode) -> Error,
    ) -> Result<Vec<Option<T>>> {
        let read_one = |episode: &&Episode| match cell(episode) {
            Value::Null => Ok(None),
            value => read(&value).map(Some).ok_or_else(|| wrong(episode)),
        };
        episodes.iter().map(read_one).collect()
    }
    Ok(match field.data_type() {
        DataType::Boolean => {
            Arc::new(BooleanArray::from(cells(episodes, value, |value| value.as_bool(), wrong)?))
        }
        DataType::Int64 => Arc::new(Int64Array::from(cells(episodes, value, |value| value.as_i64(), wrong)?)),
        DataType::Float64 => {
            Arc::new(Float64Array::from(cells(episodes, value, |value| value.as_f64(), wrong)?))
        }
        DataType::Utf8 => {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            Arc::new(StringArray::from(cells(episodes, value, text, wrong)?))
        }
        DataType::List(inner) if inner.data_type() == &DataType::Boolean => {
            let flags = |value: &Value| -> Option<Vec<bool>> {
                value.as_array()?.iter().map(Value::as_bool).collect()
            };
            let mut lists = ListBuilder::new(BooleanBuilder::new()).with_field(element(DataType::Boolean));
            for row in cells(episodes, value, flags, wrong)? {
                lists.values().append_slice(row.as_deref().unwrap_or_default());
                lists.append(row.is_some());
            }
            Arc::new(lists.finish())
        }
        other => {
            return Err(Error::usage(
                format!("a strategy cannot add the column `{name}` of type {other}"),
                "Boolean, Int64, Float64, Utf8 or a list of Boolean",
            ));
        }
    })
}
