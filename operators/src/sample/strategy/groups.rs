//! Which groups of a judged batch are kept, by their rewards.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Float64Type;

use crate::{Error, Place, Result};

/// The known values of a rollout signal, by group.
pub(super) fn values_by_group(batch: &RecordBatch, signal: &str) -> Result<BTreeMap<String, Vec<f64>>> {
    let (groups, values) = (groups(batch)?, signal_of(batch, signal)?);
    let mut by_group: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for row in 0..batch.num_rows() {
        let group = by_group.entry(groups.value(row).to_owned()).or_default();
        group.extend(values.is_valid(row).then(|| values.value(row)));
    }
    Ok(by_group)
}

/// The rewards of a judged batch, in the order of its rows.
pub(super) fn rewards(batch: &RecordBatch) -> Result<Vec<Option<f64>>> {
    Ok(signal_of(batch, "reward")?.iter().collect())
}

/// The rows of the groups that are kept, and the others.
pub(super) fn split_groups(
    batch: &RecordBatch,
    keep: impl Fn(&str) -> bool,
) -> Result<(RecordBatch, RecordBatch)> {
    let groups = groups(batch)?;
    let kept: BooleanArray = groups.iter().map(|group| group.map(&keep)).collect();
    let rest = arrow::compute::not(&kept)?;
    Ok((filter_record_batch(batch, &kept)?, filter_record_batch(batch, &rest)?))
}

fn groups(batch: &RecordBatch) -> Result<&StringArray> {
    let column = batch.column_by_name("group_id").and_then(|column| column.as_string_opt());
    column.ok_or_else(|| Error::data(Place::default().column("group_id"), "the column is missing", ""))
}

fn signal_of<'a>(batch: &'a RecordBatch, signal: &str) -> Result<&'a Float64Array> {
    let column = batch.column_by_name(signal).and_then(|column| column.as_primitive_opt::<Float64Type>());
    column.ok_or_else(|| Error::MissingSignal {
        recipe: "sample".to_owned(),
        signal: signal.to_owned(),
        hint: "have a judge add it as a number per rollout".to_owned(),
    })
}
