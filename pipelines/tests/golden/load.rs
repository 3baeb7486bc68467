//! Rollouts of a golden case as a record batch.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{Field, Schema};
use meed_operators::columns::is_environment_kind;
use serde_json::Value;

/// The rollouts, with `<rollout_id>#<row_id>` as id where one rollout has several rows.
pub fn rollouts(rows: &[Value]) -> Result<RecordBatch, String> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    let mut rows: Vec<serde_json::Map<String, Value>> = rows
        .iter()
        .map(|row| row.as_object().cloned().ok_or("a rollout is not an object"))
        .collect::<Result<_, _>>()?;
    for row in &mut rows {
        if let Some(id) = row.get("row_id").cloned() {
            let rollout = row["rollout_id"].clone();
            row.insert("source_rollout_id".into(), rollout.clone());
            let joined =
                format!("{}#{}", rollout.as_str().unwrap_or_default(), id.as_str().unwrap_or_default());
            row.insert("rollout_id".into(), joined.into());
        }
        without_fillers(row);
        names.extend(row.keys().cloned());
    }
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for name in &names {
        let cells: Vec<&Value> = rows.iter().map(|row| row.get(name).unwrap_or(&Value::Null)).collect();
        let Some(column) = array(&cells).map_err(|error| format!("column {name}: {error}"))? else {
            continue;
        };
        fields.push(Field::new(name, column.data_type().clone(), true));
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|error| error.to_string())
}

/// At environment steps some files carry fillers; absent is null.
fn without_fillers(row: &mut serde_json::Map<String, Value>) {
    let Some(kinds) = row.get("step_kinds").and_then(Value::as_array).cloned() else {
        return;
    };
    for (name, column) in row.iter_mut() {
        if !name.starts_with("step_") || matches!(name.as_str(), "step_kinds" | "step_ends" | "step_turns") {
            continue;
        }
        for (cell, kind) in column.as_array_mut().into_iter().flatten().zip(&kinds) {
            if is_environment_kind(kind.as_str().unwrap_or_default()) {
                *cell = Value::Null;
            }
        }
    }
}

/// Cells as an Arrow array; `None` where all are null, since their type is not known.
fn array(cells: &[&Value]) -> Result<Option<ArrayRef>, String> {
    let known: Vec<&&Value> = cells.iter().filter(|cell| !cell.is_null()).collect();
    let Some(first) = known.first() else {
        return Ok(None);
    };
    Ok(Some(match first {
        Value::Bool(_) => Arc::new(cells.iter().map(|cell| cell.as_bool()).collect::<BooleanArray>()),
        Value::String(_) => Arc::new(cells.iter().map(|cell| cell.as_str()).collect::<StringArray>()),
        Value::Number(_) if known.iter().all(|cell| cell.is_i64()) => {
            Arc::new(cells.iter().map(|cell| cell.as_i64()).collect::<Int64Array>())
        }
        Value::Number(_) => Arc::new(cells.iter().map(|cell| cell.as_f64()).collect::<Float64Array>()),
        Value::Array(_) => {
            let none = Vec::new();
            let lists: Vec<&Vec<Value>> = cells.iter().map(|cell| cell.as_array().unwrap_or(&none)).collect();
            let flat: Vec<&Value> = lists.iter().flat_map(|list| list.iter()).collect();
            let values: ArrayRef = match array(&flat)? {
                Some(values) => values,
                None => Arc::new(Float64Array::new_null(flat.len())),
            };
            let field = Arc::new(Field::new("element", values.data_type().clone(), true));
            let offsets = OffsetBuffer::from_lengths(lists.iter().map(|list| list.len()));
            let nulls: NullBuffer = cells.iter().map(|cell| !cell.is_null()).collect();
            Arc::new(
                ListArray::try_new(field, offsets, values, Some(nulls)).map_err(|error| error.to_string())?,
            )
        }
        other => return Err(format!("cannot be a column: {other}")),
    }))
}
