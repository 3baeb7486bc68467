//! Copies of rollouts as temporary Parquet files, since only those can be read in slices.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use meed_connectors::{Format, Location, ReadOptions, Rejects, read_batches_with, write_batches};
use meed_operators::engine::{Batches, Source};
use meed_operators::{Error, Result, columns};
use meed_pipelines::stored::{Accepted, Rejected};
use tempfile::TempDir;

/// What happens to bad lines and rows.
#[derive(Clone, Default)]
pub(crate) struct BadRows {
    pub(crate) on_error: meed_connectors::OnError,
    /// Lines that cannot be read.
    pub(crate) rejects: Rejects,
    /// Rows that break an invariant.
    pub(crate) rejected: Rejected,
}

impl BadRows {
    /// The same choice in the words of validation.
    pub(crate) fn on_invalid(&self) -> columns::OnError {
        match self.on_error {
            meed_connectors::OnError::Fail => columns::OnError::Fail,
            meed_connectors::OnError::Skip => columns::OnError::Skip,
        }
    }

    /// How files are read.
    pub(crate) fn reading(&self) -> ReadOptions {
        ReadOptions { on_error: self.on_error, rejects: self.rejects.clone(), ..ReadOptions::default() }
    }
}

/// A directory that removes itself.
pub(crate) fn temporary() -> Result<TempDir> {
    tempfile::Builder::new().prefix("meed-").tempdir().map_err(|error| {
        Error::external(
            format!("making a directory in {}", std::env::temp_dir().display()),
            error,
            "set TMPDIR to a directory that can be written and has room",
        )
    })
}

/// Writes rows to a Parquet file of this machine.
pub(crate) fn write(
    path: &Path,
    schema: &SchemaRef,
    batches: impl IntoIterator<Item = Result<RecordBatch>>,
) -> Result<u64> {
    let location = Location::parse(&path.display().to_string())?;
    write_batches(&location, Format::Parquet, schema, batches)
}

/// Copies a file of JSON Lines or Arrow IPC into the directory. Rows are completed and checked on
/// the way, with all their columns and while their numbers are those of the file.
pub(crate) fn copy(
    location: &Location,
    format: Format,
    bad_rows: &BadRows,
    directory: &TempDir,
) -> Result<PathBuf> {
    let (schema, batches) = read_batches_with(location, format, &bad_rows.reading())?;
    let once = Once { uri: location.uri().to_owned(), schema, batches: Mutex::new(Some(batches)) };
    let accepted = Accepted::new(Arc::new(once), bad_rows.on_invalid(), bad_rows.rejected.clone())?;
    let schema = accepted.schema();
    let columns: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let path = directory.path().join("staged.parquet");
    write(&path, &schema, accepted.read(0, &columns)?)?;
    Ok(path)
}

/// Batches as a source of one slice that can be read once.
struct Once {
    uri: String,
    schema: SchemaRef,
    batches: Mutex<Option<Batches>>,
}

impl Source for Once {
    fn uri(&self) -> &str {
        &self.uri
    }

    fn fingerprint(&self) -> String {
        String::new()
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn rows(&self) -> Option<u64> {
        None
    }

    fn slices(&self) -> u64 {
        1
    }

    fn first_row(&self, _slice: u64) -> Option<u64> {
        Some(0)
    }

    fn read(&self, _slice: u64, columns: &[String]) -> Result<Batches> {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let batches =
            batches.take().ok_or_else(|| Error::usage(format!("{} was read twice", self.uri), ""))?;
        let indices = columns.iter().map(|name| self.schema.index_of(name));
        let indices: Vec<usize> = indices.collect::<std::result::Result<_, _>>()?;
        Ok(Box::new(batches.map(move |batch| Ok(batch?.project(&indices)?))))
    }
}
