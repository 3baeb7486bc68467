//! The columns of rollouts at an address, as recipes see them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use meed_catalog::Catalog;
use meed_connectors::{Format, OnError, ReadOptions, Rejects, read_batches_with};
use meed_operators::Result;
use meed_operators::columns::{self, complete};
use meed_operators::engine::Source;
use meed_pipelines::stored::{Accepted, Rejected};

use crate::address::Address;
use crate::opened::{Opened, read_options};

/// The columns of a dataset or file, with those that are filled in when it is read.
///
/// # Errors
/// Nothing is there, or its columns can never be rollouts.
pub fn rollout_schema(address: &Address, catalog: &Catalog) -> Result<SchemaRef> {
    if let Address::File(location) = address
        && let Some(format @ (Format::JsonLines | Format::Arrow)) = Format::of(location.uri())
    {
        let options: ReadOptions = read_options(OnError::Skip, &Rejects::default());
        let (schema, _) = read_batches_with(location, format, &options)?;
        return Ok(complete(RecordBatch::new_empty(schema), location.uri())?.schema());
    }
    let options = read_options(OnError::Fail, &Rejects::default());
    let opened = Opened::open(address, catalog, &options, &|_| ())?;
    let source: Arc<dyn Source> = opened.source.clone();
    Ok(Accepted::new(source, columns::OnError::Fail, Rejected::default())?.schema())
}
