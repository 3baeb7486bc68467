//! Brings the columns of a batch into the types that meed works on, without loss.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray, cast::AsArray};
use arrow::datatypes::{DataType, Schema};

use super::convert::{Fault, convert};
use super::{Role, Table, list_element, list_of, role};
use crate::{Error, Place, Result};

/// Casts the columns of a batch of rollouts to their declared types, and adds nothing.
///
/// Columns that the definitions name get the declared type, `<level>_ends` and `<level>_starts` become
/// `List<Int32>`, and every other column keeps its precision and only loses its encoding (views, large
/// offsets, dictionaries, unsigned and small integers, fixed-size lists). List children are called
/// `element`. A column of type `Null` that is not declared is dropped: absent is null. Columns that fit
/// are passed on without a copy. This is what suits a projection of stored rows; files need
/// [`complete`](super::complete()).
///
/// # Errors
/// `Error::Data` with file and column where the type cannot hold the declared values (text where a number
/// is declared), and also the rollout where one value does not fit (an integer out of range).
pub fn conform(batch: RecordBatch, file: &str) -> Result<RecordBatch> {
    let schema = batch.schema();
    refuse_repeated_names(&schema, file)?;
    let fits = |(name, data_type): (&String, &DataType)| target(name, data_type).as_ref() == Some(data_type);
    if schema.fields().iter().all(|field| fits((field.name(), field.data_type()))) {
        return Ok(batch);
    }
    let mut fields = Vec::with_capacity(schema.fields().len());
    let mut columns = Vec::with_capacity(schema.fields().len());
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let Some(wanted) = target(field.name(), field.data_type()) else {
            continue;
        };
        if &wanted == field.data_type() {
            fields.push(field.clone());
            columns.push(column.clone());
            continue;
        }
        let converted = convert(column, &wanted, takes_integers(field.name()))
            .map_err(|fault| explain(fault, &batch, field.name(), &wanted, file))?;
        let nullable = field.is_nullable() || converted.is_nullable();
        fields.push(Arc::new(field.as_ref().clone().with_data_type(wanted).with_nullable(nullable)));
        columns.push(converted);
    }
    let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema, columns, &rows)?)
}

/// The type that a column of rollouts has once it conforms; `None` where it is dropped.
pub(super) fn target(name: &str, data_type: &DataType) -> Option<DataType> {
    if let Some(column) = Table::Rollouts.column(name) {
        return Some(column.column_type.data_type());
    }
    match role(name, data_type) {
        Role::Ends { .. } | Role::Starts { .. } => Some(list_of(DataType::Int32)),
        _ => plain(data_type),
    }
}

/// The same type without an encoding.
fn plain(data_type: &DataType) -> Option<DataType> {
    use DataType::*;
    if let Some(element) = list_element(data_type) {
        return plain(element).map(list_of);
    }
    Some(match data_type {
        Null => return None,
        Dictionary(_, value) => return plain(value),
        Utf8View | LargeUtf8 => Utf8,
        Int8 | Int16 | UInt8 | UInt16 => Int32,
        UInt32 | UInt64 => Int64,
        Float16 => Float32,
        Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..) => Float64,
        other => other.clone(),
    })
}

/// Text columns that are keys or answers, for which an integer is as good as its digits.
fn takes_integers(column: &str) -> bool {
    const KEYS: [&str; 6] =
        ["group_id", "rollout_id", "reference", "step_agents", "step_states", "step_actions"];
    KEYS.contains(&column)
}

fn refuse_repeated_names(schema: &Schema, file: &str) -> Result<()> {
    let mut names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::data(
            Place::file(file).column(pair[0]),
            "two columns have this name",
            "rename or drop one of them",
        )),
        None => Ok(()),
    }
}

fn explain(fault: Fault, batch: &RecordBatch, column: &str, wanted: &DataType, file: &str) -> Error {
    let place = Place::file(file).column(column);
    let hint = format!("write `{column}` as {}", describe(wanted));
    match fault {
        Fault::Type(found) => {
            Error::data(place, format!("{} where {} is expected", describe(&found), describe(wanted)), hint)
        }
        Fault::Value { index, message } => {
            let place = match rollout_at(batch, index) {
                Some(rollout) => place.rollout(rollout),
                None => place,
            };
            Error::data(place, message, hint)
        }
        Fault::Arrow(error) => Error::data(place, error.to_string(), hint),
    }
}

fn rollout_at(batch: &RecordBatch, row: usize) -> Option<String> {
    let ids = batch.column_by_name("rollout_id")?;
    let ids: ArrayRef = convert(ids, &DataType::Utf8, true).ok()?;
    let ids: &StringArray = ids.as_string_opt()?;
    (row < ids.len() && ids.is_valid(row)).then(|| ids.value(row).to_owned())
}

/// A type in words, for messages.
fn describe(data_type: &DataType) -> String {
    use DataType::*;
    match data_type {
        Utf8 | LargeUtf8 | Utf8View => "text".to_owned(),
        Dictionary(_, value) => describe(value),
        other => match list_element(other) {
            Some(element) => format!("list of {}", describe(element)),
            None => other.to_string(),
        },
    }
}
