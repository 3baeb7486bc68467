//! One Parquet file: its metadata, kept, and ranges of its rows.

use std::fs::File;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryFutureExt};
use meed_operators::{Error, Result};
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection, RowSelector,
};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStream};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::blocking::{self, Pending};
use crate::plain::plain_schema;
use crate::store::{Location, failed};

/// A Parquet file with its metadata.
pub(crate) struct ParquetFile {
    pub(crate) location: Location,
    pub(crate) size: u64,
    pub(crate) metadata: ArrowReaderMetadata,
    /// Its columns with plain types.
    pub(crate) schema: SchemaRef,
    /// First row of every row group, and the number of rows at the end.
    pub(crate) group_starts: Vec<u64>,
}

/// Batches as the decoder yields them: the columns in the order of the file.
pub(crate) type RawBatches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

impl ParquetFile {
    /// Reads the file's metadata.
    pub(crate) fn open(location: Location, size: Option<u64>) -> Result<Self> {
        // Types come from the Parquet schema alone. The Arrow schema that writers embed asks for
        // views, dictionaries and 64-bit offsets, which would have to be cast away again.
        let options = ArrowReaderOptions::new()
            .with_skip_arrow_metadata(true)
            .with_offset_index_policy(PageIndexPolicy::Optional);
        let uri = location.uri().to_owned();
        let (metadata, size) = match location.local_path() {
            Some(path) => {
                let file = File::open(path).map_err(|error| failed("opening", &uri, error))?;
                let info = file.metadata().map_err(|error| failed("opening", &uri, error))?;
                if info.is_dir() {
                    return Err(failed("opening", &uri, "it is a directory"));
                }
                let metadata = guarded(&uri, || {
                    ArrowReaderMetadata::load(&file, options).map_err(|error| explain(&uri, error))
                })?;
                (metadata, info.len())
            }
            None => {
                let size = size.map_or_else(|| location.size(), Ok)?;
                let mut input = StoredFile { location: location.clone(), size };
                let name = uri.clone();
                let metadata = blocking::wait(&uri, async move {
                    let metadata = ArrowReaderMetadata::load_async(&mut input, options).await;
                    metadata.map_err(|error| explain(&name, error))
                })?;
                (metadata, size)
            }
        };
        let mut group_starts = vec![0];
        for group in metadata.metadata().row_groups() {
            let rows = u64::try_from(group.num_rows())
                .map_err(|_| crate::broken_file(&uri, "a row group has a negative number of rows"))?;
            group_starts.push(group_starts[group_starts.len() - 1] + rows);
        }
        let schema = plain_schema(metadata.schema());
        Ok(ParquetFile { location, size, metadata, schema, group_starts })
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> u64 {
        self.group_starts[self.group_starts.len() - 1]
    }

    /// The row groups that rows of the range lie in.
    pub(crate) fn groups_of(&self, rows: &Range<u64>) -> Range<usize> {
        let first = self.group_starts.partition_point(|start| *start <= rows.start) - 1;
        let last = self.group_starts.partition_point(|start| *start < rows.end);
        first..last.min(self.group_starts.len() - 1)
    }

    /// Decodes a range of rows, `batch_rows` at a time: the columns at the positions `columns`.
    pub(crate) fn read(&self, rows: Range<u64>, columns: &[usize], batch_rows: usize) -> Result<RawBatches> {
        if rows.is_empty() {
            return Ok(Box::new(std::iter::empty()));
        }
        let uri = self.location.uri().to_owned();
        let groups = self.groups_of(&rows);
        let (begin, end) = (self.group_starts[groups.start], self.group_starts[groups.end]);
        let selection = (rows != (begin..end)).then(|| {
            RowSelection::from(vec![
                RowSelector::skip((rows.start - begin) as usize),
                RowSelector::select((rows.end - rows.start) as usize),
                RowSelector::skip((end - rows.end) as usize),
            ])
        });
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), columns.iter().copied());
        let expected = rows.end - rows.start;
        let decoded: RawBatches = match self.location.local_path() {
            Some(path) => {
                let file = File::open(path).map_err(|error| failed("opening", &uri, error))?;
                let mut builder =
                    ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
                        .with_row_groups(groups.collect())
                        .with_projection(mask)
                        .with_batch_size(batch_rows);
                if let Some(selection) = selection {
                    builder = builder.with_row_selection(selection);
                }
                let reader = guarded(&uri, || builder.build().map_err(|error| explain(&uri, error)))?;
                Box::new(LocalBatches { reader: Some(reader), uri: uri.clone() })
            }
            None => {
                let input = StoredFile { location: self.location.clone(), size: self.size };
                let mut builder =
                    ParquetRecordBatchStreamBuilder::new_with_metadata(input, self.metadata.clone())
                        .with_row_groups(groups.collect())
                        .with_projection(mask)
                        .with_batch_size(batch_rows);
                if let Some(selection) = selection {
                    builder = builder.with_row_selection(selection);
                }
                let stream = builder.build().map_err(|error| explain(&uri, error))?;
                Box::new(StoredBatches { next: Some(advance(stream, &uri)?), uri: uri.clone() })
            }
        };
        Ok(Box::new(Counted { decoded, uri, expected, found: 0 }))
    }
}

/// Runs a decoder; a panic becomes an error. The decoder checks most of what it reads, but does not
/// promise never to panic on damaged pages, and a broken file is no reason to bring the process
/// down. Callers drop what it was working on, so no half-changed state remains.
fn guarded<T>(uri: &str, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|panic| Err(blocking::panicked(uri, panic.as_ref())))
}

/// Tells a broken file from a store that failed.
fn explain(uri: &str, error: ParquetError) -> Error {
    match error {
        ParquetError::External(source) => failed("reading", uri, source),
        other => crate::broken_file(uri, &other.to_string()),
    }
}

fn explain_arrow(uri: &str, error: ArrowError) -> Error {
    match error {
        ArrowError::ExternalError(source) => failed("reading", uri, source),
        ArrowError::IoError(_, source) => failed("reading", uri, source),
        other => crate::broken_file(uri, &other.to_string()),
    }
}

struct LocalBatches {
    reader: Option<ParquetRecordBatchReader>,
    uri: String,
}

impl Iterator for LocalBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let reader = self.reader.as_mut()?;
        let uri = &self.uri;
        let next = guarded(uri, || reader.next().transpose().map_err(|error| explain_arrow(uri, error)));
        if !matches!(next, Ok(Some(_))) {
            self.reader = None;
        }
        next.transpose()
    }
}

type Stream = ParquetRecordBatchStream<StoredFile>;
type Step = Option<(RecordBatch, Stream)>;

/// Batches of a stored file. The next one is fetched and decoded while its predecessor is used.
struct StoredBatches {
    next: Option<Pending<Step>>,
    uri: String,
}

fn advance(mut stream: Stream, uri: &str) -> Result<Pending<Step>> {
    let name = uri.to_owned();
    blocking::start(uri, async move {
        match stream.next().await {
            None => Ok(None),
            Some(Ok(batch)) => Ok(Some((batch, stream))),
            Some(Err(error)) => Err(explain(&name, error)),
        }
    })
}

impl Iterator for StoredBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.next.take()?.wait().transpose()?;
        Some(step.and_then(|(batch, stream)| {
            self.next = Some(advance(stream, &self.uri)?);
            Ok(batch)
        }))
    }
}

/// Checks that the decoder yields as many rows as the metadata promised: a damaged page can end
/// early without an error.
struct Counted {
    decoded: RawBatches,
    uri: String,
    expected: u64,
    found: u64,
}

impl Iterator for Counted {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.decoded.next() {
            Some(Ok(batch)) => {
                self.found += batch.num_rows() as u64;
                Some(Ok(batch))
            }
            None if self.found != self.expected => {
                let message =
                    format!("the metadata promises {} rows, the pages hold {}", self.expected, self.found);
                self.expected = self.found;
                Some(Err(crate::broken_file(&self.uri, &message)))
            }
            other => {
                self.expected = self.found;
                other
            }
        }
    }
}

/// A file in an object store as the asynchronous reader wants it: byte ranges.
struct StoredFile {
    location: Location,
    size: u64,
}

impl AsyncFileReader for StoredFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        let (store, path) = (self.location.store(), self.location.path());
        store.get_range(path, range).map_err(store_error).boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        let (store, path) = (self.location.store(), self.location.path());
        async move { store.get_ranges(path, &ranges).await.map_err(store_error) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        let size = self.size;
        let policy = options.map_or(PageIndexPolicy::Skip, ArrowReaderOptions::offset_index_policy);
        async move {
            // One request usually fetches the footer and all metadata before it.
            let reader = ParquetMetaDataReader::new()
                .with_prefetch_hint(Some(64 << 10))
                .with_offset_index_policy(policy);
            Ok(Arc::new(reader.load_and_finish(self, size).await?))
        }
        .boxed()
    }
}

fn store_error(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
