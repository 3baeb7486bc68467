//! The columns of rollouts at an address, as recipes see them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use meed_catalog::Catalog;
use meed_connectors::parquet_source::SLICE_BYTES;
use meed_connectors::{Format, OnError, read_batches_with};
use meed_operators::Result;
use meed_operators::columns::{self, complete};
use meed_operators::engine::Source;
use meed_pipelines::stored::{Accepted, Rejected};

use crate::address::Address;
use crate::opened::Opened;
use crate::staged::BadRows;

/// The columns of a dataset or file, with those that are filled in when it is read.
///
/// # Errors
/// Nothing is there, or its columns can never be rollouts.
pub fn rollout_schema(address: &Address, catalog: &Catalog) -> Result<SchemaRef> {
    if let Address::File(location) = address
        && let Some(format @ (Format::JsonLines | Format::Arrow)) = Format::of(location.uri())
    {
        // Only the columns count here; a command that reads the rows will stop at a bad one.
        let bad_rows = BadRows { on_error: OnError::Skip, ..BadRows::default() };
        let (schema, _) = read_batches_with(location, format, &bad_rows.reading())?;
        return Ok(complete(RecordBatch::new_empty(schema), location.uri())?.schema());
    }
    let opened = Opened::open(address, catalog, SLICE_BYTES, &BadRows::default(), &|_| ())?;
    let source: Arc<dyn Source> = opened.source.clone();
    Ok(Accepted::new(source, columns::OnError::Fail, Rejected::default())?.schema())
}
