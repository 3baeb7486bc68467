//! Brings record batches into the types that Delta can store and a dataset's columns have.

use std::sync::Arc;

use meed_operators::columns::list_of;
use meed_operators::{Error, Place, Result};

use crate::arrow::array::{Array, AsArray, RecordBatch};
use crate::arrow::compute::{CastOptions, cast_with_options};
use crate::arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

/// The type in which Delta stores values of an Arrow type; `None` where it cannot.
///
/// Unsigned integers become the next wider signed ones (UInt64 becomes Int64, and values beyond it
/// are an error), views and dictionaries their plain types, times microseconds in UTC, and list
/// children are called `element`.
pub(crate) fn delta_type(of: &DataType) -> Option<DataType> {
    Some(match of {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Utf8
        | DataType::Binary
        | DataType::Date32
        | DataType::Decimal128(..) => of.clone(),
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Date64 => DataType::Date32,
        DataType::Timestamp(..) => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC"))),
        DataType::Dictionary(_, values) => return delta_type(values),
        DataType::List(child)
        | DataType::LargeList(child)
        | DataType::ListView(child)
        | DataType::LargeListView(child)
        | DataType::FixedSizeList(child, _) => list_of(delta_type(child.data_type())?),
        DataType::Struct(fields) => {
            let fields: Option<Fields> = fields
                .iter()
                .map(|field| Some(Field::new(field.name(), delta_type(field.data_type())?, true)))
                .collect();
            DataType::Struct(fields?)
        }
        _ => return None,
    })
}

/// A batch with the columns of `known` first, in that order and in their types, and then all other
/// columns in Delta's types. Columns of type Null that are not known are left out: they hold nothing.
///
/// # Errors
/// A required column that is missing or null, a type that does not fit, a number that is too
/// large. The error names `dataset`, the row inside the batch, its rollout and the column.
pub(crate) fn conform(batch: &RecordBatch, known: &Schema, dataset: &str) -> Result<RecordBatch> {
    let schema = batch.schema();
    let mut fields = Vec::with_capacity(schema.fields().len());
    let mut arrays = Vec::with_capacity(schema.fields().len());
    for field in known.fields() {
        let Some(array) = batch.column_by_name(field.name()) else {
            if field.is_nullable() {
                continue;
            }
            return Err(Error::data(
                Place::file(dataset).column(field.name()),
                "the rows lack this column, which the dataset requires",
                "add the column, or write to a dataset of another kind",
            ));
        };
        let array = cast(array, field.data_type(), field.name(), dataset)?;
        if !field.is_nullable() && array.logical_null_count() > 0 {
            let row = (0..array.len()).find(|row| array.is_null(*row)).unwrap_or(0);
            return Err(Error::data(
                place(batch, row, dataset).column(field.name()),
                "null in a column that must have a value in every row",
                "fill the column before writing; a failure belongs into `status`",
            ));
        }
        fields.push(Arc::new(Field::new(field.name(), field.data_type().clone(), field.is_nullable())));
        arrays.push(array);
    }
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        if known.field_with_name(field.name()).is_ok() || field.data_type() == &DataType::Null {
            continue;
        }
        let target = delta_type(field.data_type()).ok_or_else(|| {
            Error::data(
                Place::file(dataset).column(field.name()),
                format!("Delta has no type for {}", field.data_type()),
                "leave the column out, or store it as text (JSON)",
            )
        })?;
        arrays.push(cast(array, &target, field.name(), dataset)?);
        fields.push(Arc::new(Field::new(field.name(), target, true)));
    }
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    RecordBatch::try_new(schema, arrays).map_err(Error::from)
}

fn cast(array: &Arc<dyn Array>, target: &DataType, column: &str, dataset: &str) -> Result<Arc<dyn Array>> {
    if array.data_type() == target {
        return Ok(array.clone());
    }
    let place = || Place::file(dataset).column(column);
    let fits = delta_type(array.data_type()).is_some_and(|plain| fits(&plain, target));
    if !fits && array.data_type() != &DataType::Null {
        return Err(Error::data(
            place(),
            format!("the rows have type {}, the dataset has {target}", array.data_type()),
            "convert the column, or write it under another name",
        ));
    }
    let checked = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, target, &checked)
        .map_err(|error| Error::data(place(), error.to_string(), format!("every value has to fit {target}")))
}

/// Whether values of one type may be stored in a column of another: the same type, or a number in
/// a number that is no integer where the value was none.
fn fits(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (DataType::List(from), DataType::List(to)) => fits(from.data_type(), to.data_type()),
        (from, to) if from == to => true,
        (from, to) => from.is_numeric() && to.is_numeric() && !(from.is_floating() && to.is_integer()),
    }
}

/// Row and rollout, as far as the batch tells.
fn place(batch: &RecordBatch, row: usize, dataset: &str) -> Place {
    let place = Place::file(dataset).row(row as u64);
    match batch.column_by_name("rollout_id").and_then(|ids| ids.as_string_opt::<i32>()) {
        Some(ids) if ids.is_valid(row) => place.rollout(ids.value(row)),
        _ => place,
    }
}
