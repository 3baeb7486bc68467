//! What the tests of all formats share: files, imports, and what holds for every imported row.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use arrow::array::{Array, AsArray, ListArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type};
use meed_connectors::import::{ImportOptions, ImportReport, importer};
use meed_connectors::{Location, OnError};
use meed_operators::columns::{Table, is_environment_kind, validate};
use meed_operators::engine::table_of;

/// A file of the real data; `None`, said aloud, where it is absent.
pub fn real(name: &str) -> Option<Location> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    if !path.exists() {
        eprintln!("SKIPPED: {} is not there", path.display());
        return None;
    }
    Some(Location::parse(path.to_str().unwrap()).unwrap())
}

/// A file with this content.
pub fn written(folder: &tempfile::TempDir, name: &str, content: impl AsRef<[u8]>) -> Location {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    Location::parse(path.to_str().unwrap()).unwrap()
}

pub fn skipping() -> ImportOptions {
    ImportOptions { on_error: OnError::Skip, ..ImportOptions::default() }
}

pub type Outcome = meed_operators::Result<(Vec<RecordBatch>, ImportReport)>;

pub fn import(name: &str, inputs: &[Location], options: &ImportOptions) -> Outcome {
    let imported = importer(name)?.import(inputs, options)?;
    let batches = imported.batches.collect::<meed_operators::Result<Vec<_>>>()?;
    for batch in batches.iter().filter(|batch| table_of(batch).is_none()) {
        assert_eq!(batch.schema(), imported.schema);
    }
    Ok((batches, imported.report.get()))
}

pub fn text<'a>(batch: &'a RecordBatch, column: &str, row: usize) -> Option<&'a str> {
    let column = batch.column_by_name(column).unwrap().as_string::<i32>();
    column.is_valid(row).then(|| column.value(row))
}

pub fn list<'a>(batch: &'a RecordBatch, column: &str) -> &'a ListArray {
    batch.column_by_name(column).unwrap().as_list()
}

pub fn integers(batch: &RecordBatch, column: &str, row: usize) -> Vec<i32> {
    list(batch, column).value(row).as_primitive::<Int32Type>().values().to_vec()
}

pub fn numbers(batch: &RecordBatch, column: &str, row: usize) -> Vec<Option<f64>> {
    list(batch, column).value(row).as_primitive::<Float64Type>().iter().collect()
}

pub fn texts(batch: &RecordBatch, column: &str, row: usize) -> Vec<Option<String>> {
    let values = list(batch, column).value(row);
    values.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

pub fn rewards(batch: &RecordBatch) -> impl Iterator<Item = Option<f64>> {
    batch.column_by_name("reward").unwrap().as_primitive::<Float64Type>().iter()
}

/// Checks what holds for every row that an importer with bytes as tokens writes: the schema, the
/// spans, the mask, and that tokens are the text. Returns the number of tokens and steps.
pub fn check_rows(batch: &RecordBatch) -> (usize, usize) {
    let (mut all_tokens, mut all_steps) = (0, 0);
    assert!(validate(batch, "imported", 0).unwrap().is_empty());
    for field in batch.schema().fields() {
        if let Some(column) = Table::Rollouts.column(field.name()) {
            assert_eq!(field.data_type(), &column.column_type.data_type(), "{field}");
        }
    }
    for row in 0..batch.num_rows() {
        let tokens = integers(batch, "token_ids", row);
        let mask = list(batch, "token_mask").value(row);
        let ends = integers(batch, "step_ends", row);
        let kinds = texts(batch, "step_kinds", row);
        let steps = texts(batch, "step_texts", row);
        assert_eq!(mask.len(), tokens.len());
        assert_eq!(mask.null_count(), 0);
        assert_eq!(ends.last().map_or(0, |end| *end as usize), tokens.len());
        for column in batch.schema().fields() {
            if column.name().starts_with("step_") && list(batch, column.name()).is_valid(row) {
                assert_eq!(list(batch, column.name()).value(row).len(), ends.len(), "{column}");
            }
        }
        let mut start = 0;
        for ((end, kind), step) in ends.iter().zip(&kinds).zip(&steps) {
            let span = start..*end as usize;
            let bytes: Vec<u8> = tokens[span.clone()].iter().map(|id| *id as u8).collect();
            assert_eq!(String::from_utf8(bytes).unwrap(), *step.as_ref().unwrap());
            let policy = !is_environment_kind(kind.as_ref().unwrap());
            assert!(span.clone().all(|token| mask.as_boolean().value(token) == policy));
            start = span.end;
        }
        let prompt = integers(batch, "prompt_ids", row);
        let prompt: Vec<u8> = prompt.iter().map(|id| *id as u8).collect();
        assert_eq!(prompt, text(batch, "prompt", row).unwrap().as_bytes());
        all_tokens += tokens.len();
        all_steps += ends.len();
    }
    (all_tokens, all_steps)
}

/// Rewards of every group, in order; panics if a group comes back after another one, or if a
/// rollout comes twice.
pub fn groups(batches: &[RecordBatch]) -> BTreeMap<String, Vec<f64>> {
    let mut groups: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut last = String::new();
    let mut rollouts = BTreeSet::new();
    for batch in batches {
        for (row, reward) in rewards(batch).enumerate() {
            let group = text(batch, "group_id", row).unwrap();
            assert!(rollouts.insert(text(batch, "rollout_id", row).unwrap().to_owned()));
            assert!(group == last || !groups.contains_key(group), "{group} is split");
            last = group.to_owned();
            groups.entry(last.clone()).or_default().push(reward.unwrap());
        }
    }
    groups
}

/// The second line or element was set aside with the reason that the error has after its place.
pub fn check_reject(report: &ImportReport, message: &str) {
    let reason = message.split_once(": ").map_or(message, |(_, reason)| reason);
    assert_eq!(report.rejected.len(), 1);
    assert_eq!(report.rejected[0].line, 2);
    assert!(report.rejected[0].reason.contains(reason), "{report}");
}
