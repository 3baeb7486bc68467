//! Object stores, files and importers of meed.

mod blocking;
pub mod clustering;
mod common_schema;
pub mod file_sink;
pub mod import;
mod ipc;
mod json_columns;
mod json_lines;
mod json_schema;
mod parquet_append;
mod parquet_file;
mod parquet_rows;
pub mod parquet_source;
mod plain;
pub mod read;
pub mod rejects;
mod row_writer;
mod slices;
pub mod store;
mod stored_bytes;
pub mod write;

pub use clustering::{Clustering, ClusteringReport, check_clustering};
pub use file_sink::FileSink;
pub use parquet_source::{DataFile, ParquetSource};
pub use read::{ReadOptions, read_batches, read_batches_with};
pub use rejects::{OnError, Reject, Rejects};
pub use row_writer::Codec;
pub use store::{Format, Location};
pub use write::write_batches;

use meed_operators::{Error, Place};

/// The error for a file whose content cannot be decoded.
pub(crate) fn broken_file(file: &str, message: &str) -> Error {
    Error::data(
        Place::file(file),
        message,
        "the file is truncated, corrupt or of another format; write or fetch it again",
    )
}
