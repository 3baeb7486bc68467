//! Completes rows as files hold them: declared types, keys, and the lengths of rollouts.

use std::iter::repeat_n;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};

use super::lengths::Lengths;
use super::{Table, conform, role, with_columns};
use crate::{Error, Place, Result};

/// Brings rollouts as loaders find them into the declared types and fills what files leave out.
///
/// - Types: see [`conform`](super::conform()).
/// - `iteration` is 0 and `status` is `complete` where the column is missing.
/// - `token_mask`, where it is missing, or null in a rollout without tokens: false in the steps that the
///   environment produced, true elsewhere. A rollout without tokens has one position per step (and
///   `step_ends` 1, 2, ...), one without steps has one position.
///
/// A present column is believed: a null key or status, or a null mask beside tokens, stays null and is
/// for [`validate`](super::validate()) to report. Columns that need nothing are passed on without a copy,
/// so a batch of a stored dataset costs a look at its schema.
///
/// A projection must hold what [`columns_to_read`] names; with `token_mask` nothing is derived.
///
/// # Errors
/// `Error::Data` where `group_id` or `rollout_id` is missing, where a column has a wrong type, and where a
/// rollout has tokens and steps but nothing says which tokens each step has.
pub fn complete(batch: RecordBatch, file: &str) -> Result<RecordBatch> {
    for key in ["group_id", "rollout_id"] {
        if batch.column_by_name(key).is_none() {
            return Err(Error::data(
                Place::file(file).column(key),
                "the column is missing",
                "every row needs a `group_id` (its prompt or task) and a `rollout_id` \
                 (unique in its iteration); add or rename the columns",
            ));
        }
    }
    let batch = conform(batch, file)?;
    let rows = batch.num_rows();
    let mut filled: Vec<(&str, ArrayRef)> = Vec::new();
    if batch.column_by_name("iteration").is_none() {
        filled.push(("iteration", Arc::new(Int64Array::from_value(0, rows))));
    }
    if batch.column_by_name("status").is_none() {
        let status = StringArray::from_iter_values(repeat_n("complete", rows));
        filled.push(("status", Arc::new(status)));
    }
    let lengths = Lengths::of(&batch);
    lengths.refuse_steps_without_ends(file)?;
    if let Some(mask) = lengths.mask(file)? {
        filled.push(("token_mask", mask));
    }
    if let Some(ends) = lengths.step_ends(file)? {
        filled.push(("step_ends", ends));
    }
    if filled.is_empty() {
        return Ok(batch);
    }
    filled_in(batch, filled)
}

/// The columns to read from a file of this schema so that [`complete`] gives right rows with the `wanted`
/// columns: the keys, `status`, and what the lengths of rollouts derive from. In the schema's order.
///
/// ```
/// use arrow::datatypes::{DataType, Field, Schema};
/// use meed_operators::columns::{columns_to_read, list_of};
///
/// let field = |name: &str, data_type| Field::new(name, data_type, true);
/// let schema = Schema::new(vec![
///     field("group_id", DataType::Utf8),
///     field("rollout_id", DataType::Utf8),
///     field("response", DataType::Utf8),
///     field("reward", DataType::Float64),
///     field("token_ids", list_of(DataType::Int32)),
/// ]);
/// let read = columns_to_read(&schema, &["reward"]);
/// assert_eq!(read, ["group_id", "rollout_id", "reward", "token_ids"]);
/// ```
pub fn columns_to_read(schema: &Schema, wanted: &[&str]) -> Vec<String> {
    const ALWAYS: [&str; 5] = ["iteration", "group_id", "rollout_id", "status", "token_mask"];
    let has = |name: &str| schema.column_with_name(name).is_some();
    let level_of = |field: &Field| role(field.name(), field.data_type()).level().map(str::to_owned);
    let first_of = |level: &str, preferred: &str| {
        if has(preferred) {
            return Some(preferred.to_owned());
        }
        let mut fields = schema.fields().iter();
        fields.find(|field| level_of(field).as_deref() == Some(level)).map(|field| field.name().clone())
    };
    let mut lengths: Vec<String> = Vec::new();
    if !has("token_mask") {
        lengths.extend(first_of("token", "token_ids"));
        lengths.extend(first_of("step", "step_kinds"));
        lengths.push("step_ends".to_owned());
    }
    let wants_steps = wanted.iter().any(|name| name.starts_with("step_"));
    if wants_steps {
        lengths.push("step_ends".to_owned());
    }
    let mut names: Vec<String> = Vec::new();
    for field in schema.fields() {
        let name = field.name().as_str();
        if wanted.contains(&name) || ALWAYS.contains(&name) || lengths.iter().any(|l| l == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// The batch with columns filled in; those that are there keep their fields, new ones have that of the table.
fn filled_in(batch: RecordBatch, filled: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let schema = batch.schema();
    let columns = filled.into_iter().map(|(name, column)| {
        let nullable = Table::Rollouts.column(name).is_none_or(|definition| definition.nullable);
        let field = match schema.field_with_name(name) {
            Ok(field) => field.clone(),
            Err(_) => Field::new(name, column.data_type().clone(), nullable),
        };
        (field, column)
    });
    with_columns(batch, columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Array;

    fn keys() -> Vec<(&'static str, ArrayRef)> {
        vec![
            ("group_id", Arc::new(StringArray::from(vec!["g", "g"])) as ArrayRef),
            ("rollout_id", Arc::new(StringArray::from(vec!["a", "b"]))),
        ]
    }

    #[test]
    fn rows_without_anything_get_one_position() {
        let batch = RecordBatch::try_from_iter(keys()).unwrap();
        let batch = complete(batch, "f").unwrap();
        let names: Vec<_> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
        assert_eq!(names, ["group_id", "rollout_id", "iteration", "status", "token_mask"]);
        let mask = batch.column_by_name("token_mask").unwrap();
        assert_eq!(format!("{:?}", mask.slice(1, 1)), format!("{:?}", mask.slice(0, 1)));
        assert_eq!(mask.null_count(), 0);
    }

    #[test]
    fn a_complete_batch_is_passed_on() {
        let batch = complete(RecordBatch::try_from_iter(keys()).unwrap(), "f").unwrap();
        let again = complete(batch.clone(), "f").unwrap();
        assert!(Arc::ptr_eq(batch.schema_ref(), again.schema_ref()));
        for (before, after) in batch.columns().iter().zip(again.columns()) {
            assert!(Arc::ptr_eq(before, after));
        }
    }

    #[test]
    fn keys_must_exist() {
        let batch = RecordBatch::try_from_iter(keys().into_iter().skip(1)).unwrap();
        let error = complete(batch, "f.parquet").unwrap_err();
        assert_eq!(error.to_string(), "f.parquet, column group_id: the column is missing");
    }

    #[test]
    fn reading_a_step_column_reads_the_spans() {
        let schema = Table::Rollouts.schema();
        let read = columns_to_read(&schema, &["step_rewards"]);
        assert_eq!(
            read,
            ["iteration", "group_id", "rollout_id", "status", "token_mask", "step_ends", "step_rewards"]
        );
    }
}
