//! The one schema of several files.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use meed_operators::columns::list_of;
use meed_operators::{Error, Place, Result};

use crate::parquet_file::ParquetFile;

/// The columns of all files, in the order of their first appearance.
pub(crate) fn common_schema(files: &[ParquetFile]) -> Result<SchemaRef> {
    let Some((first, further)) = files.split_first() else {
        return Err(Error::usage("a source of no files and no schema", "name at least one file"));
    };
    let mut fields: Vec<Field> = first.schema.fields().iter().map(|field| field.as_ref().clone()).collect();
    for file in further {
        for field in file.schema.fields() {
            let Some(known) = fields.iter_mut().find(|known| known.name() == field.name()) else {
                fields.push(field.as_ref().clone().with_nullable(true));
                continue;
            };
            let data_type = wider(known.data_type(), field.data_type()).ok_or_else(|| {
                Error::data(
                    Place::file(file.location.uri()).column(field.name()),
                    format!("{}, but {} in an earlier file", field.data_type(), known.data_type()),
                    "write the column with one type in all files",
                )
            })?;
            let nullable = known.is_nullable() || field.is_nullable();
            *known = Field::new(field.name(), data_type, nullable);
        }
        for known in &mut fields {
            if file.schema.field_with_name(known.name()).is_err() {
                known.set_nullable(true);
            }
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The type that holds the values of both without loss.
fn wider(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType::{Float32, Float64, Int32, Int64, List};
    match (a, b) {
        (a, b) if a == b => Some(a.clone()),
        (Int32, Int64) | (Int64, Int32) => Some(Int64),
        (Float32, Float64) | (Float64, Float32) | (Int32, Float64) | (Float64, Int32) => Some(Float64),
        (List(a), List(b)) => Some(list_of(wider(a.data_type(), b.data_type())?)),
        _ => None,
    }
}
