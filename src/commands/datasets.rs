//! `meed datasets`: what the catalog holds.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray, UInt64Array};
use meed::Result;
use meed::catalog::{Catalog, DatasetInfo, Format, format};
use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::output::Output;

pub fn run(arguments: &Arguments, as_json: bool) -> Result<()> {
    let catalog = Catalog::open(&arguments.catalog)?;
    let datasets = catalog.datasets()?;
    if as_json {
        return Output::new().json(&datasets.iter().map(describe).collect());
    }
    let numbers = |of: fn(&DatasetInfo) -> Option<u64>| -> ArrayRef {
        Arc::new(datasets.iter().map(of).collect::<UInt64Array>())
    };
    let names = datasets.iter().map(|one| Some(one.name.as_str()));
    let kinds = datasets.iter().map(|one| one.table.map(|table| table.name()));
    let updated: TimestampMillisecondArray = datasets.iter().map(|one| one.updated).collect();
    let rows = RecordBatch::try_from_iter([
        ("dataset", Arc::new(StringArray::from_iter(names)) as ArrayRef),
        ("holds", Arc::new(StringArray::from_iter(kinds))),
        ("version", numbers(|one| Some(one.version))),
        ("rows", numbers(|one| one.rows)),
        ("files", numbers(|one| Some(one.files))),
        ("bytes", numbers(|one| Some(one.bytes))),
        ("updated", Arc::new(updated.with_timezone("+00:00"))),
    ])?;
    format::write(Format::Table, &rows.schema(), [Ok(rows)], Output::new())?;
    Ok(())
}

fn describe(one: &DatasetInfo) -> Value {
    json!({
        "dataset": one.name,
        "holds": one.table.map(|table| table.name()),
        "version": one.version,
        "rows": one.rows,
        "files": one.files,
        "bytes": one.bytes,
        "updated": one.updated,
    })
}
