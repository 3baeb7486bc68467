//! A source whose rows are completed and validated while they are read.

use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use meed_operators::Result;
use meed_operators::columns::{DuplicateCheck, OnError, Rejection, accept, columns_to_read, complete};
use meed_operators::engine::{Batches, Source};

/// Rows that were left out, with their place and reason.
#[derive(Debug, Clone, Default)]
pub struct Rejected(Arc<Mutex<Vec<Rejection>>>);

impl Rejected {
    /// What was left out so far, in the order it was met.
    pub fn take(&self) -> Vec<Rejection> {
        match self.0.lock() {
            Ok(mut rows) => std::mem::take(&mut *rows),
            Err(_) => Vec::new(),
        }
    }

    fn add(&self, rows: Vec<Rejection>) {
        if let Ok(mut all) = self.0.lock() {
            all.extend(rows);
        }
    }
}

/// A source as the pipeline sees it: every batch has the declared types, the keys and the mask, and
/// holds no row that breaks an invariant.
pub struct Accepted {
    source: Arc<dyn Source>,
    schema: SchemaRef,
    on_error: OnError,
    rejected: Rejected,
}

impl Accepted {
    /// Wraps a source. Rows that break an invariant end the run, or go to `rejected`.
    ///
    /// # Errors
    /// A schema that can never hold rollouts: keys missing, wrong types.
    pub fn new(source: Arc<dyn Source>, on_error: OnError, rejected: Rejected) -> Result<Self> {
        let empty = RecordBatch::new_empty(source.schema());
        let schema = complete(empty, source.uri())?.schema();
        Ok(Accepted { source, schema, on_error, rejected })
    }
}

impl Source for Accepted {
    fn uri(&self) -> &str {
        self.source.uri()
    }

    fn fingerprint(&self) -> String {
        self.source.fingerprint()
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn rows(&self) -> Option<u64> {
        self.source.rows()
    }

    fn slices(&self) -> u64 {
        self.source.slices()
    }

    fn first_row(&self, slice: u64) -> Option<u64> {
        self.source.first_row(slice)
    }

    fn read(&self, slice: u64, columns: &[String]) -> Result<Batches> {
        let stored = self.source.schema();
        let wanted: Vec<&str> = columns.iter().map(String::as_str).collect();
        let mut read = columns_to_read(&stored, &wanted);
        read.retain(|name| stored.column_with_name(name).is_some());
        let batches = self.source.read(slice, &read)?;
        let uri = self.source.uri().to_owned();
        let mut row = self.source.first_row(slice).unwrap_or(0);
        let mut duplicates = DuplicateCheck::new();
        let (on_error, rejected, columns) = (self.on_error, self.rejected.clone(), columns.to_vec());
        Ok(Box::new(batches.map(move |batch| {
            let batch = complete(batch?, &uri)?;
            let (rows, first) = (batch.num_rows() as u64, row);
            row += rows;
            let repeated = duplicates.check(&batch, &uri, first);
            let batch = match on_error {
                OnError::Fail => match meed_operators::columns::summarize(&repeated) {
                    Some(error) => return Err(error),
                    None => batch,
                },
                OnError::Skip => without(batch, &repeated, first)?,
            };
            rejected.add(repeated);
            let (batch, bad) = accept(batch, &uri, first, on_error)?;
            rejected.add(bad);
            let schema = batch.schema();
            let indices: Vec<usize> =
                columns.iter().map(|name| schema.index_of(name)).collect::<Result<_, _>>()?;
            Ok(batch.project(&indices)?)
        })))
    }
}

fn without(batch: RecordBatch, rejected: &[Rejection], first: u64) -> Result<RecordBatch> {
    if rejected.is_empty() {
        return Ok(batch);
    }
    let keep = (0..batch.num_rows() as u64).map(|row| !rejected.iter().any(|bad| bad.row == first + row));
    let keep: arrow::array::BooleanArray = keep.map(Some).collect();
    Ok(arrow::compute::filter_record_batch(&batch, &keep)?)
}
