//! Writes query results as a table, CSV, JSON lines, Parquet or Arrow IPC.

use std::io::Write;
use std::str::FromStr;
use std::sync::Arc;

use meed_operators::{Error, Result};

use crate::arrow::array::{ArrayRef, RecordBatch, StringArray};
use crate::arrow::csv;
use crate::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use crate::arrow::error::ArrowError;
use crate::arrow::ipc::writer::StreamWriter;
use crate::arrow::json::LineDelimitedWriter;
use crate::arrow::json::writer::{LineDelimited, WriterBuilder};
use crate::arrow::util::pretty::pretty_format_batches;
use crate::epoch_writer::properties;
use crate::parquet::arrow::ArrowWriter;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Drawn with lines, for people. Held in memory until the end.
    Table,
    /// Comma-separated with a header; lists and structs as JSON text.
    Csv,
    /// One JSON object a line; nulls are written.
    Json,
    /// One Parquet file.
    Parquet,
    /// Arrow IPC stream.
    Arrow,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 5] = [Format::Table, Format::Csv, Format::Json, Format::Parquet, Format::Arrow];

    /// Its name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Csv => "csv",
            Format::Json => "json",
            Format::Parquet => "parquet",
            Format::Arrow => "arrow",
        }
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Format::ALL.into_iter().find(|format| format.name() == text).ok_or_else(|| {
            Error::usage(format!("`{text}` is not a format"), "use table, csv, json, parquet or arrow")
        })
    }
}

/// Writes all batches and returns the number of rows. Only [`Format::Table`] holds more than one
/// batch in memory (and Parquet one row group).
///
/// ```
/// use std::sync::Arc;
/// use meed_catalog::arrow::array::{ArrayRef, Int64Array, RecordBatch};
/// use meed_catalog::format::{Format, write};
/// let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
/// let batch = RecordBatch::try_from_iter([("a", column)]).unwrap();
/// let mut text = Vec::new();
/// assert_eq!(write(Format::Csv, &batch.schema(), [Ok(batch)], &mut text).unwrap(), 2);
/// assert_eq!(text, b"a\n1\n2\n");
/// ```
///
/// # Errors
/// The first error of the batches, or of the output.
pub fn write(
    format: Format,
    schema: &SchemaRef,
    batches: impl IntoIterator<Item = Result<RecordBatch>>,
    mut output: impl Write + Send,
) -> Result<u64> {
    let mut rows = 0;
    let mut count = |batch: &RecordBatch| rows += batch.num_rows() as u64;
    match format {
        Format::Table => {
            let mut held = Vec::new();
            for batch in batches {
                let batch = batch?;
                count(&batch);
                held.push(batch);
            }
            if held.is_empty() {
                held.push(RecordBatch::new_empty(schema.clone()));
            }
            let table = pretty_format_batches(&held)?;
            writeln!(output, "{table}").map_err(|error| failed(error.into()))?;
        }
        Format::Csv => {
            let mut writer = csv::WriterBuilder::new().with_header(true).build(&mut output);
            let header = flat(&RecordBatch::new_empty(schema.clone()))?;
            writer.write(&header).map_err(failed)?;
            for batch in batches {
                let batch = batch?;
                count(&batch);
                writer.write(&flat(&batch)?).map_err(failed)?;
            }
        }
        Format::Json => {
            let mut writer =
                WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut output);
            for batch in batches {
                let batch = batch?;
                count(&batch);
                writer.write(&batch).map_err(failed)?;
            }
            writer.finish().map_err(failed)?;
        }
        Format::Parquet => {
            let mut writer = ArrowWriter::try_new(&mut output, schema.clone(), Some(properties()))
                .map_err(|error| failed(error.into()))?;
            for batch in batches {
                let batch = batch?;
                count(&batch);
                writer.write(&batch).map_err(|error| failed(error.into()))?;
            }
            writer.close().map_err(|error| failed(error.into()))?;
        }
        Format::Arrow => {
            let mut writer = StreamWriter::try_new(&mut output, schema).map_err(failed)?;
            for batch in batches {
                let batch = batch?;
                count(&batch);
                writer.write(&batch).map_err(failed)?;
            }
            writer.finish().map_err(failed)?;
        }
    }
    output.flush().map_err(|error| failed(error.into()))?;
    Ok(rows)
}

/// The batch with nested columns as JSON text, since CSV has none.
fn flat(batch: &RecordBatch) -> Result<RecordBatch> {
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
    let schema = batch.schema();
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        if field.data_type().is_nested() {
            fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
            arrays.push(Arc::new(as_json(array)?));
        } else {
            fields.push(field.clone());
            arrays.push(array.clone());
        }
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

fn as_json(array: &ArrayRef) -> Result<StringArray> {
    let mut texts = Vec::with_capacity(array.len());
    let schema = Arc::new(Schema::new(vec![Field::new("", array.data_type().clone(), true)]));
    let rows = RecordBatch::try_new(schema, vec![array.clone()])?;
    let mut lines = LineDelimitedWriter::new(Vec::new());
    lines.write(&rows)?;
    lines.finish()?;
    let lines = String::from_utf8(lines.into_inner())
        .map_err(|error| Error::external("writing a list as JSON", error, "please report this"))?;
    for (row, line) in lines.lines().enumerate() {
        // Each line is `{"":[..]}`, or `{}` for null.
        let inside = line.strip_prefix("{\"\":").and_then(|rest| rest.strip_suffix('}'));
        texts.push(inside.filter(|_| array.is_valid(row)));
    }
    Ok(StringArray::from(texts))
}

fn failed(error: ArrowError) -> Error {
    Error::external(
        "writing the result",
        error,
        "check that the output is open and has room, and that the format can hold these columns",
    )
}
