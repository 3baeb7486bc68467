//! The plain column types that meed works with, whatever types a file uses for the same values.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use meed_operators::columns::{Table, list_of};
use meed_operators::{Error, Place, Result};

/// The plain type of a column: `Utf8` for every kind of text, `List` with the child `element` for
/// every kind of list, signed integers, no half floats, no dictionaries.
pub(crate) fn plain_type(name: &str, found: &DataType) -> DataType {
    match found {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::Dictionary(_, values) => plain_type(name, values),
        DataType::RunEndEncoded(_, values) => plain_type(name, values.data_type()),
        DataType::List(child)
        | DataType::LargeList(child)
        | DataType::ListView(child)
        | DataType::LargeListView(child)
        | DataType::FixedSizeList(child, _) => list_of(plain_type("", child.data_type())),
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Null => {
            Table::Rollouts.column(name).map_or(DataType::Float64, |column| column.column_type.data_type())
        }
        other => other.clone(),
    }
}

/// The schema with every column's type made plain.
pub(crate) fn plain_schema(found: &Schema) -> SchemaRef {
    let fields: Vec<Field> = found
        .fields()
        .iter()
        .map(|field| {
            let data_type = plain_type(field.name(), field.data_type());
            Field::new(field.name(), data_type, field.is_nullable())
        })
        .collect();
    Arc::new(Schema::new(fields))
}

/// The batch's columns at `positions`, as the fields of `schema` want them. A position of `None`
/// is a column that the file lacks: all null. Equal types cost nothing.
pub(crate) fn plain_batch(
    batch: &RecordBatch,
    positions: &[Option<usize>],
    schema: &SchemaRef,
    file: &str,
) -> Result<RecordBatch> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let columns = positions
        .iter()
        .zip(schema.fields())
        .map(|(position, field)| {
            let failed = |message: String| {
                Error::data(
                    Place::file(file).column(field.name()),
                    message,
                    "write the column with the type that the table's definition gives it",
                )
            };
            let Some(position) = position else {
                return Ok(arrow::array::new_null_array(field.data_type(), batch.num_rows()));
            };
            let column = batch.column(*position);
            let column = match column.data_type() == field.data_type() {
                true => column.clone(),
                false => cast_with_options(column, field.data_type(), &strict)
                    .map_err(|error| failed(error.to_string()))?,
            };
            match !field.is_nullable() && column.null_count() > 0 {
                true => Err(failed("null in a column that must not have nulls".to_owned())),
                false => Ok(column),
            }
        })
        .collect::<Result<Vec<_>>>()?;
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &rows)?)
}
