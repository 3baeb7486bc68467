//! Typed columns of a batch of scores, with errors that say what is missing.

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, cast::AsArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use meed_operators::{Error, Place, Result};

pub(super) fn texts(batch: &RecordBatch, name: &str) -> Result<StringArray> {
    Ok(column(batch, name, &DataType::Utf8)?.as_string::<i32>().clone())
}

pub(super) fn flags(batch: &RecordBatch, name: &str) -> Result<BooleanArray> {
    Ok(column(batch, name, &DataType::Boolean)?.as_boolean().clone())
}

pub(super) fn numbers(batch: &RecordBatch, name: &str) -> Result<Float64Array> {
    Ok(column(batch, name, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
}

pub(super) fn integers(batch: &RecordBatch, name: &str) -> Result<Int64Array> {
    Ok(column(batch, name, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}

fn column(batch: &RecordBatch, name: &str, wanted: &DataType) -> Result<ArrayRef> {
    let place = || Place::default().column(name);
    let found = batch.column_by_name(name).ok_or_else(|| {
        Error::data(place(), "the column is missing", "the documentation of the metric lists its columns")
    })?;
    let as_numbers = matches!(wanted, DataType::Float64 | DataType::Int64);
    let fits = found.data_type() == wanted
        || matches!(found.data_type(), DataType::Null)
        || (as_numbers && found.data_type().is_numeric())
        || (*wanted == DataType::Utf8
            && matches!(found.data_type(), DataType::LargeUtf8 | DataType::Utf8View));
    if !fits {
        return Err(Error::data(
            place(),
            format!("is {}, not {wanted}", found.data_type()),
            "convert it first",
        ));
    }
    Ok(cast(found, wanted)?)
}

/// The value of a row that must not be null.
pub(super) fn required<T>(value: Option<T>, name: &str, row: usize) -> Result<T> {
    value.ok_or_else(|| {
        let place = Place::default().row(row as u64).column(name);
        Error::data(place, "is null", "every row needs a value here")
    })
}

/// The value where the array has one.
macro_rules! at {
    ($array:expr, $row:expr) => {
        arrow::array::Array::is_valid(&$array, $row).then(|| $array.value($row))
    };
}
pub(super) use at;

/// Mean; `None` of nothing.
pub(super) fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0);
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / f64::from(count))
}

/// Every row of a column is a value.
pub(super) fn none_is_null(array: &dyn Array, name: &str) -> Result<()> {
    match (0..array.len()).find(|&row| array.is_null(row)) {
        Some(row) => required(None::<()>, name, row),
        None => Ok(()),
    }
}
