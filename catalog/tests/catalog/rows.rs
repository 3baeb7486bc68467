//! Rollouts to write, and ways to write and read them.

use std::sync::Arc;

use meed_catalog::arrow::array::{
    Array, ArrayRef, BooleanArray, Float32Array, Float64Array, Int64Array, ListArray, RecordBatch,
    StringArray,
};
use meed_catalog::arrow::buffer::OffsetBuffer;
use meed_catalog::arrow::compute::concat_batches;
use meed_catalog::arrow::datatypes::{DataType, Field, Schema};
use meed_catalog::{Catalog, DeltaSink, Input, Lineage, open_source};
use meed_operators::columns::Table;
use meed_operators::engine::{Receipt, Sink, Source};

/// Lists in Arrow's default spelling: the child is called `item`.
fn list(values: ArrayRef, lengths: &[usize]) -> ArrayRef {
    let item = Arc::new(Field::new("item", values.data_type().clone(), true));
    Arc::new(ListArray::new(item, OffsetBuffer::from_lengths(lengths.iter().copied()), values, None))
}

/// `groups` groups of `members` rollouts at an iteration; rewards and lengths vary.
pub fn rollouts(iteration: i64, groups: std::ops::Range<usize>, members: usize) -> RecordBatch {
    let ids: Vec<(usize, usize)> = groups.flat_map(|g| (0..members).map(move |m| (g, m))).collect();
    let lengths: Vec<usize> = ids.iter().map(|(g, m)| 3 + (g * 7 + m) % 5).collect();
    let tokens: usize = lengths.iter().sum();
    let reward = |(g, m): &(usize, usize)| (g % 11 != 10).then_some(((g * 3 + m * 5) % 4) as f64);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("iteration", Arc::new(Int64Array::from(vec![iteration; ids.len()]))),
        ("group_id", Arc::new(StringArray::from_iter_values(ids.iter().map(|(g, _)| format!("g{g:04}"))))),
        (
            "rollout_id",
            Arc::new(StringArray::from_iter_values(ids.iter().map(|(g, m)| format!("g{g:04}-{m}")))),
        ),
        ("status", Arc::new(StringArray::from(vec!["complete"; ids.len()]))),
        ("reward", Arc::new(Float64Array::from_iter(ids.iter().map(reward)))),
        (
            "token_mask",
            list(Arc::new(BooleanArray::from_iter((0..tokens).map(|t| Some(t % 3 != 0)))), &lengths),
        ),
        (
            "token_rollout_logprobs",
            list(Arc::new(Float32Array::from_iter_values((0..tokens).map(|t| -(t as f32) / 16.0))), &lengths),
        ),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// The batch with one more column.
pub fn with_column(batch: &RecordBatch, name: &str, array: ArrayRef) -> RecordBatch {
    let mut fields: Vec<Field> = batch.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(Field::new(name, array.data_type().clone(), true));
    let mut columns = batch.columns().to_vec();
    columns.push(array);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

pub fn lineage(run: &str) -> Lineage {
    Lineage {
        run: run.to_owned(),
        command: "meed import test".to_owned(),
        recipes: vec!["grpo".to_owned()],
        parameters: serde_json::json!({"grpo": {"eps": 1e-6}}),
        inputs: vec![Input {
            uri: "rollouts@4".to_owned(),
            version: Some(4),
            fingerprint: "abc@4".to_owned(),
            slices: Some(7),
        }],
        code_version: "0.1.0".to_owned(),
    }
}

pub fn sink(catalog: &Catalog, name: &str, run: &str) -> DeltaSink {
    catalog.sink(name, Table::Rollouts, lineage(run)).unwrap()
}

/// Writes one epoch as one worker.
pub fn write(sink: &DeltaSink, worker: usize, epoch: u64, batch: &RecordBatch) -> Vec<Receipt> {
    let mut writer = sink.writer(worker).unwrap();
    writer.write(epoch, batch.clone()).unwrap();
    writer.close(epoch).unwrap()
}

/// A dataset of one commit.
pub fn fill(catalog: &Catalog, name: &str, batch: &RecordBatch) {
    let sink = sink(catalog, name, &format!("fill{name}"));
    let receipts = write(&sink, 0, 0, batch);
    let mut committer = sink.committer().unwrap();
    committer.commit(0..=0, receipts).unwrap();
    committer.finish().unwrap();
}

/// All rows of a dataset through the source, slice after slice.
pub fn read(catalog: &Catalog, name: &str, columns: &[&str], slice_bytes: u64) -> RecordBatch {
    let source = open_source(&catalog.dataset(name).unwrap(), slice_bytes).unwrap();
    let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
    let mut batches = Vec::new();
    for slice in 0..source.slices() {
        for batch in source.read(slice, &columns).unwrap() {
            batches.push(batch.unwrap());
        }
    }
    let fields: Vec<Field> =
        columns.iter().map(|column| source.schema().field_with_name(column).unwrap().clone()).collect();
    let schema = Arc::new(Schema::new(fields));
    concat_batches(&schema, &batches).unwrap()
}

/// Every cell as text, which does not depend on names of list children.
pub fn cells(batch: &RecordBatch) -> Vec<Vec<String>> {
    use meed_catalog::arrow::util::display::array_value_to_string;
    (0..batch.num_rows())
        .map(|row| {
            batch
                .columns()
                .iter()
                .map(|column| match column.is_null(row) {
                    true => "null".to_owned(),
                    false => array_value_to_string(column, row).unwrap(),
                })
                .collect()
        })
        .collect()
}

/// Result of a query that returns numbers, as (possibly null) f64.
pub fn numbers(batches: &[RecordBatch], column: usize) -> Vec<Option<f64>> {
    use meed_catalog::arrow::array::AsArray;
    use meed_catalog::arrow::compute::cast;
    use meed_catalog::arrow::datatypes::Float64Type;
    batches
        .iter()
        .flat_map(|batch| {
            let values = cast(batch.column(column), &DataType::Float64).unwrap();
            values.as_primitive::<Float64Type>().iter().collect::<Vec<_>>()
        })
        .collect()
}
