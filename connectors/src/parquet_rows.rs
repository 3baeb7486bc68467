//! Ranges of rows over several Parquet files, in batches of bounded size.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use meed_operators::Result;

use crate::parquet_file::{ParquetFile, RawBatches};
use crate::plain::plain_batch;
use crate::slices::decoded_bytes;

/// Decoded bytes that a batch should have, so that long rows come a few at a time.
const BATCH_BYTES: u64 = 512 << 10;

/// Rows that a batch has at most.
pub(crate) const BATCH_ROWS: u64 = 8192;

/// The files of a source.
pub(crate) struct Files {
    pub(crate) uri: String,
    pub(crate) files: Vec<ParquetFile>,
    /// First row of every file, and the number of rows.
    pub(crate) starts: Vec<u64>,
    pub(crate) schema: SchemaRef,
}

/// A range of rows, read file after file.
pub(crate) struct Rows {
    files: Arc<Files>,
    rows: Range<u64>,
    schema: SchemaRef,
    batch_rows: u64,
    current: Option<(RawBatches, usize, Vec<Option<usize>>)>,
}

impl Rows {
    /// The columns of `schema`, in that order, at most `batch_rows` rows a batch.
    pub(crate) fn new(files: Arc<Files>, rows: Range<u64>, schema: SchemaRef, batch_rows: u64) -> Self {
        Rows { files, rows, schema, batch_rows, current: None }
    }

    /// Starts to read the file that the first remaining row lies in.
    fn enter_file(&mut self) -> Result<()> {
        let index = self.files.starts.partition_point(|start| *start <= self.rows.start) - 1;
        let (begin, end) = (self.files.starts[index], self.files.starts[index + 1]);
        let file = &self.files.files[index];
        let inside = self.rows.start - begin..self.rows.end.min(end) - begin;

        let found: Vec<Option<usize>> =
            self.schema.fields().iter().map(|field| file.schema.index_of(field.name()).ok()).collect();
        let mut roots: Vec<usize> = found.iter().flatten().copied().collect();
        roots.sort_unstable();
        roots.dedup();
        let positions = found.iter().map(|at| at.and_then(|at| roots.binary_search(&at).ok())).collect();

        let batch_rows = batch_rows(file, &inside, &roots).min(self.batch_rows).max(1);
        let batches = file.read(inside, &roots, batch_rows as usize)?;
        self.rows.start = self.rows.end.min(end);
        self.current = Some((batches, index, positions));
        Ok(())
    }
}

/// Rows of a batch of about [`BATCH_BYTES`], by the average of the row groups that are read.
fn batch_rows(file: &ParquetFile, rows: &Range<u64>, roots: &[usize]) -> u64 {
    let parquet_schema = file.metadata.parquet_schema();
    let (mut bytes, mut count) = (0, 0);
    for index in file.groups_of(rows) {
        let group = file.metadata.metadata().row_group(index);
        count += file.group_starts[index + 1] - file.group_starts[index];
        bytes += group
            .columns()
            .iter()
            .enumerate()
            .filter(|(leaf, _)| roots.contains(&parquet_schema.get_column_root_idx(*leaf)))
            .map(|(_, chunk)| decoded_bytes(chunk))
            .sum::<u64>();
    }
    (u128::from(BATCH_BYTES) * u128::from(count) / u128::from(bytes.max(1))).clamp(1, u128::from(BATCH_ROWS))
        as u64
}

impl Iterator for Rows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((batches, index, positions)) = &mut self.current {
                let file = self.files.files[*index].location.uri();
                match batches.next() {
                    Some(Ok(batch)) => {
                        return Some(plain_batch(&batch, positions, &self.schema, file));
                    }
                    Some(Err(error)) => {
                        self.rows.end = self.rows.start;
                        self.current = None;
                        return Some(Err(error));
                    }
                    None => self.current = None,
                }
            }
            if self.rows.is_empty() {
                return None;
            }
            if let Err(error) = self.enter_file() {
                self.rows.end = self.rows.start;
                return Some(Err(error.in_file(&self.files.uri)));
            }
        }
    }
}
