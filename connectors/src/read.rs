//! Reads a whole file of any format as record batches.

use arrow::datatypes::SchemaRef;
use meed_operators::Result;
use meed_operators::columns::Table;
use meed_operators::engine::{Batches, Source};

use crate::parquet_source::{ParquetSource, SLICE_BYTES};
use crate::rejects::{OnError, Rejects};
use crate::store::{Format, Location};
use crate::{ipc, json_lines};

/// How to read a file.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// The table whose columns have their defined types in JSON Lines.
    pub table: Table,
    /// Rows of a batch at most. Arrow IPC keeps the batches of the file.
    pub batch_rows: usize,
    /// What to do with a line of JSON Lines that cannot be read.
    pub on_error: OnError,
    /// Where skipped lines go.
    pub rejects: Rejects,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions {
            table: Table::Rollouts,
            batch_rows: 8192,
            on_error: OnError::Fail,
            rejects: Rejects::default(),
        }
    }
}

/// Reads a file of rollouts: its schema, and its rows `batch_rows` at a time or fewer.
///
/// # Errors
/// The file cannot be opened; later, each batch, where it cannot be decoded.
pub fn read_batches(location: &Location, format: Format, batch_rows: usize) -> Result<(SchemaRef, Batches)> {
    read_batches_with(location, format, &ReadOptions { batch_rows, ..ReadOptions::default() })
}

/// Reads a file of any table, with a choice about lines that cannot be read.
///
/// In JSON Lines a column that the table does not define gets the narrowest type that holds all
/// its values: Boolean, Int64, Float64, Utf8 or a list of them; objects are kept as JSON text.
///
/// # Errors
/// As [`read_batches`].
pub fn read_batches_with(
    location: &Location,
    format: Format,
    options: &ReadOptions,
) -> Result<(SchemaRef, Batches)> {
    match format {
        Format::JsonLines => json_lines::read(location, options),
        Format::Arrow => ipc::read(location),
        Format::Parquet => {
            let source = ParquetSource::open(location, SLICE_BYTES)?;
            let schema = source.schema();
            let columns: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
            let rows = 0..source.row_count();
            let batches = source.read_batches(rows, &columns, options.batch_rows.max(1) as u64)?;
            Ok((schema, batches))
        }
    }
}
