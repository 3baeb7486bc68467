//! Reads a dataset at a version as a source of the engine.

use std::path::PathBuf;

use meed_connectors::{DataFile, ParquetSource};
use meed_operators::Result;

use crate::dataset::{Dataset, DatasetFile};

/// The rows of a dataset's version, file after file in commit order, cut into slices of about
/// `slice_bytes` decoded bytes, with the columns that the files have: a table has all columns of its
/// kind, but one that no file has is absent, and a recipe that needs it has to say so. Its URI is `name@version`; its fingerprint is the table's id and
/// version.
///
/// # Errors
/// Files that only other programs write (see [`Dataset::files`]), or that cannot be opened.
pub fn open_source(dataset: &Dataset, slice_bytes: u64) -> Result<ParquetSource> {
    let files =
        dataset.files()?.into_iter().map(|file| data_file(dataset, file)).collect::<Result<Vec<_>>>()?;
    let schema = files.is_empty().then(|| dataset.schema());
    ParquetSource::from_files(files, dataset.uri(), dataset.fingerprint(), schema, slice_bytes)
}

fn data_file(dataset: &Dataset, file: DatasetFile) -> Result<DataFile> {
    if dataset.is_local() {
        let mut local = DataFile::local(PathBuf::from(format!("/{}", file.path)))?;
        local.size = Some(file.size);
        return Ok(local);
    }
    Ok(DataFile::stored(dataset.object_store(), file.path, file.size))
}
