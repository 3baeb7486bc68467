//! Rollouts that an earlier attempt committed without their update: they are trained on, not sampled again.

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{concat_batches, partition};
use arrow::datatypes::Int64Type;
use meed_catalog::{Catalog, SqlOptions};
use meed_operators::Result;
use meed_operators::columns::Table;
use meed_operators::engine::rows_of;
use meed_pipelines::live::Replay;

/// The stored rollouts from an epoch on, by epoch.
///
/// # Errors
/// A dataset that cannot be read.
pub(super) fn stored_from(catalog: &Catalog, dataset: &str, first: u64) -> Result<Replay> {
    let mut replay = Replay::new();
    if catalog.find(dataset)?.is_none() {
        return Ok(replay);
    }
    let query = format!("select * from \"{dataset}\" where iteration >= {first} order by iteration");
    let rows = catalog.sql(&query, &SqlOptions::default())?;
    let Some(schema) = rows.first().map(RecordBatch::schema) else { return Ok(replay) };
    let rows = concat_batches(&schema, &rows)?;
    let Some(iterations) = rows.column_by_name("iteration") else { return Ok(replay) };
    for range in partition(std::slice::from_ref(iterations))?.ranges() {
        let epoch = iterations.as_primitive::<Int64Type>().value(range.start);
        let rows = rows_of(Table::Rollouts, &rows.slice(range.start, range.len()))?;
        replay.insert(u64::try_from(epoch).unwrap_or_default(), vec![rows]);
    }
    Ok(replay)
}
