//! Token ids for rows that have text only.

use std::sync::Arc;

use arrow::array::{
    Array, AsArray, BooleanBuilder, Int32Builder, ListArray, ListBuilder, RecordBatch, StringArray,
};
use arrow::datatypes::{DataType, Field, Int32Type};
use meed_operators::columns::{Role, is_environment_kind, role};
use meed_operators::{Error, Place, Result};

use super::Tokenization;
use super::imported::ReportHandle;
use super::stored::with_column;

/// Fills `token_ids` and `step_ends` from `step_texts`, or `token_ids` from `response`, and
/// `prompt_ids` from `prompt`, in conforming rows. Where there is a `token_mask`, which is null in
/// the rows that get tokens, it is filled too; a missing one is left to the completion of rows.
///
/// Only rows whose length nothing tells are tokenised: no list of tokens and no `step_ends`. A
/// `response` of a row with steps stays as it is, because the spans of its steps are not known.
/// `step_texts` with a null element do not tell all tokens and stay too.
pub(super) fn add_tokens(
    batch: RecordBatch,
    file: &str,
    tokenizer: &Tokenization,
    report: &ReportHandle,
) -> Result<RecordBatch> {
    let text = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>()).cloned();
    let list = |name: &str| batch.column_by_name(name).and_then(|c| c.as_list_opt::<i32>()).cloned();
    let prompts = text("prompt");
    let responses = text("response");
    let step_texts = list("step_texts");
    let row_tokenizer = RowTokenizer { batch: &batch, file, tokenizer };
    let mut prompt_ids = Ids::new(list("prompt_ids"));
    let mut token_ids = Ids::new(list("token_ids"));
    let mut step_ends = Ids::new(list("step_ends"));
    let mut masks = Masks::of(&batch);
    let lengths = Lengths::of(&batch);
    for row in 0..batch.num_rows() {
        let prompt = value(&prompts, row).filter(|_| !prompt_ids.has(row));
        prompt_ids.push(row, prompt.map(|text| row_tokenizer.encode(text, row)).transpose()?);
        let mut tokens = None;
        let mut ends = None;
        if !lengths.known(row) {
            let steps = step_texts.as_ref().filter(|list| list.is_valid(row));
            let steps = steps.map(|list| list.value(row)).filter(|texts| texts.null_count() == 0);
            if let Some(steps) = steps {
                let (all, each) = row_tokenizer.encode_steps(steps.as_string(), row)?;
                (tokens, ends) = (Some(all), Some(each));
            } else if let Some(text) = value(&responses, row) {
                match lengths.has_steps(row) {
                    true => report.unmapped("response beside steps without texts, not tokenised"),
                    false => tokens = Some(row_tokenizer.encode(text, row)?),
                }
            }
        }
        masks.push(row, tokens.as_deref(), ends.as_deref());
        token_ids.push(row, tokens);
        step_ends.push(row, ends);
    }
    let mut filled = batch.clone();
    if prompts.is_some() {
        filled = with_column(filled, "prompt_ids", Arc::new(prompt_ids.finish()))?;
    }
    if step_texts.is_some() || responses.is_some() {
        filled = with_column(filled, "token_ids", Arc::new(token_ids.finish()))?;
        if let Some(masks) = masks.finish() {
            filled = with_column(filled, "token_mask", Arc::new(masks))?;
        }
    }
    if step_texts.is_some() {
        filled = with_column(filled, "step_ends", Arc::new(step_ends.finish()))?;
    }
    Ok(filled)
}

fn value(column: &Option<StringArray>, row: usize) -> Option<&str> {
    column.as_ref().filter(|column| column.is_valid(row)).map(|column| column.value(row))
}

/// Tokenises, and names the rollout where that fails.
struct RowTokenizer<'a> {
    batch: &'a RecordBatch,
    file: &'a str,
    tokenizer: &'a Tokenization,
}

impl RowTokenizer<'_> {
    fn encode(&self, text: &str, row: usize) -> Result<Vec<i32>> {
        self.tokenizer.encode(text).map_err(|error| self.explain(row, error.to_string()))
    }

    fn encode_steps(&self, texts: &StringArray, row: usize) -> Result<(Vec<i32>, Vec<i32>)> {
        let (mut tokens, mut ends) = (Vec::new(), Vec::new());
        for text in texts.iter().flatten() {
            tokens.extend(self.encode(text, row)?);
            let end = i32::try_from(tokens.len());
            ends.push(end.map_err(|_| self.explain(row, "more tokens than step_ends can count".into()))?);
        }
        Ok((tokens, ends))
    }

    fn explain(&self, row: usize, message: String) -> Error {
        let mut place = Place::file(self.file);
        let ids = self.batch.column_by_name("rollout_id").and_then(|c| c.as_string_opt::<i32>());
        if let Some(ids) = ids.filter(|ids| ids.is_valid(row)) {
            place = place.rollout(ids.value(row));
        }
        Error::data(place, message, "check the text, or give token_ids")
    }
}

/// What says how long a row is, and whether it has steps.
struct Lengths {
    known_by: Vec<ListArray>,
    steps: Vec<ListArray>,
}

impl Lengths {
    fn of(batch: &RecordBatch) -> Self {
        let lists = |wanted: &dyn Fn(Role<'_>) -> bool| {
            let schema = batch.schema();
            let columns = schema.fields().iter().zip(batch.columns());
            columns
                .filter(|(field, _)| wanted(role(field.name(), field.data_type())))
                .filter_map(|(_, column)| column.as_list_opt::<i32>().cloned())
                .collect()
        };
        Lengths {
            known_by: lists(&|role| role.level() == Some("token") || role == Role::Ends { level: "step" }),
            steps: lists(&|role| role.level() == Some("step")),
        }
    }

    fn known(&self, row: usize) -> bool {
        self.known_by.iter().any(|list| list.is_valid(row))
    }

    fn has_steps(&self, row: usize) -> bool {
        self.steps.iter().any(|list| list.is_valid(row) && list.value_length(row) > 0)
    }
}

/// A list column under construction: the values that a row has, else those that are given.
struct Ids {
    present: Option<ListArray>,
    builder: ListBuilder<Int32Builder>,
}

impl Ids {
    fn new(present: Option<ListArray>) -> Self {
        let element = Field::new("element", DataType::Int32, true);
        let builder = ListBuilder::new(Int32Builder::new()).with_field(element);
        Ids { present, builder }
    }

    fn has(&self, row: usize) -> bool {
        self.present.as_ref().is_some_and(|present| present.is_valid(row))
    }

    fn push(&mut self, row: usize, given: Option<Vec<i32>>) {
        match (&self.present, given) {
            (Some(present), _) if present.is_valid(row) => {
                self.builder.append_value(present.value(row).as_primitive::<Int32Type>());
            }
            (_, Some(values)) => {
                self.builder.values().append_slice(&values);
                self.builder.append(true);
            }
            (_, None) => self.builder.append(false),
        }
    }

    fn finish(mut self) -> ListArray {
        self.builder.finish()
    }
}

/// `token_mask` under construction, where the batch has one: false in environment steps.
struct Masks {
    present: Option<ListArray>,
    kinds: Option<ListArray>,
    builder: ListBuilder<BooleanBuilder>,
}

impl Masks {
    fn of(batch: &RecordBatch) -> Self {
        let list = |name: &str| batch.column_by_name(name)?.as_list_opt::<i32>().cloned();
        let element = Field::new("element", DataType::Boolean, true);
        Masks {
            present: list("token_mask"),
            kinds: list("step_kinds"),
            builder: ListBuilder::new(BooleanBuilder::new()).with_field(element),
        }
    }

    fn push(&mut self, row: usize, tokens: Option<&[i32]>, ends: Option<&[i32]>) {
        let Some(present) = &self.present else {
            return;
        };
        let Some(tokens) = tokens else {
            match present.is_valid(row) {
                true => self.builder.append_value(present.value(row).as_boolean()),
                false => self.builder.append(false),
            }
            return;
        };
        let kinds = self.kinds.as_ref().filter(|kinds| kinds.is_valid(row));
        let kinds = kinds.map(|kinds| kinds.value(row));
        let kinds = kinds.iter().flat_map(|kinds| kinds.as_string::<i32>().iter());
        let mut mask = vec![true; tokens.len()];
        let mut start = 0;
        for (end, kind) in ends.unwrap_or_default().iter().zip(kinds) {
            let end = *end as usize;
            mask[start..end].fill(!kind.is_some_and(is_environment_kind));
            start = end;
        }
        self.builder.values().append_slice(&mask);
        self.builder.append(true);
    }

    fn finish(mut self) -> Option<ListArray> {
        self.present.is_some().then(|| self.builder.finish())
    }
}
