//! Rows out of order are sorted on disk within a memory limit.

use std::fs::File;
use std::sync::Arc;

use meed_catalog::arrow::array::{AsArray, Float32Array, ListArray, RecordBatch, UInt32Array};
use meed_catalog::arrow::compute::take_record_batch;
use meed_catalog::arrow::datatypes::Float32Type;
use meed_catalog::parquet::arrow::ArrowWriter;
use meed_catalog::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use meed_catalog::{Catalog, SortInput, sort_by_group};

use crate::rows::{cells, fill, rollouts, with_column};

/// The rows in an order that tears groups apart, with a column that has some weight.
fn shuffled(batch: &RecordBatch) -> RecordBatch {
    let rows = batch.num_rows() as u32;
    let order = UInt32Array::from_iter_values((0..rows).map(|row| (row * 7919) % rows));
    let weight = Float32Array::from_iter_values((0..rows).map(|row| row as f32));
    take_record_batch(&with_column(batch, "weight", Arc::new(weight)), &order).unwrap()
}

fn rows_of(files: &[std::path::PathBuf]) -> Vec<RecordBatch> {
    files
        .iter()
        .flat_map(|path| {
            let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
            reader.build().unwrap().map(|batch| batch.unwrap()).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn a_small_limit_spills_and_the_order_is_right() {
    let directory = tempfile::tempdir().unwrap();
    let input = directory.path().join("input.parquet");
    let batch = shuffled(&rollouts(0, 0..9999, 10));
    let mut writer = ArrowWriter::try_new(File::create(&input).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();

    let target = directory.path().join("sorted");
    let sorted = sort_by_group(&SortInput::Files(vec![input.clone()]), &target, 4 << 20).unwrap();
    assert_eq!(sorted.rows, 99_990);
    assert!(sorted.spilled_bytes > 0, "{sorted:?}");
    assert!(!target.join("spill").exists());
    let mut last = String::new();
    for batch in rows_of(&sorted.files) {
        let ids = batch.column_by_name("rollout_id").unwrap().as_string::<i32>();
        for id in ids.iter().flatten() {
            assert!(last.as_str() < id, "{last} before {id}");
            last = id.to_owned();
        }
    }
    // A second sort into the same place would mix two results.
    assert!(sort_by_group(&SortInput::Files(vec![input]), &target, 4 << 20).is_err());
}

#[test]
fn a_dataset_is_sorted_with_all_its_columns() {
    let directory = tempfile::tempdir().unwrap();
    let catalog = Catalog::open("memory://sorting").unwrap();
    let batch = rollouts(0, 0..50, 4);
    fill(&catalog, "math", &shuffled(&batch));
    let sorted = catalog.sort_by_group("math", directory.path(), 64 << 20).unwrap();
    let got = rows_of(&sorted.files);
    let got: Vec<Vec<String>> = got
        .iter()
        .flat_map(|rows| {
            let names = batch.schema();
            let wanted: Vec<usize> =
                names.fields().iter().map(|field| rows.schema().index_of(field.name()).unwrap()).collect();
            cells(&rows.project(&wanted).unwrap())
        })
        .collect();
    assert_eq!(got, cells(&batch));
}

#[test]
fn rows_without_groups_cannot_be_sorted() {
    let directory = tempfile::tempdir().unwrap();
    let input = directory.path().join("input.parquet");
    let batch = rollouts(0, 0..2, 2).project(&[0, 4]).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(&input).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let error =
        sort_by_group(&SortInput::Files(vec![input]), &directory.path().join("s"), 1 << 20).unwrap_err();
    assert!(error.to_string().contains("no column `group_id`"), "{error}");
}

#[test]
fn long_rollouts_are_sorted_within_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let input = directory.path().join("input.parquet");
    let mut writer = None;
    // Forty batches of one row of each of 25 groups; a row has 16 KiB of tokens.
    for part in 0..40 {
        let batch = rollouts(0, 0..25, 1);
        let tokens = |row: usize| (0..4096).map(move |t| Some((row * 4096 + t) as f32 * 1e-3));
        let long =
            ListArray::from_iter_primitive::<Float32Type, _, _>((0..25).map(|row| Some(tokens(row + part))));
        let batch = with_column(&batch, "token_values", Arc::new(long));
        let writer = writer.get_or_insert_with(|| {
            ArrowWriter::try_new(File::create(&input).unwrap(), batch.schema(), None).unwrap()
        });
        writer.write(&batch).unwrap();
    }
    writer.unwrap().close().unwrap();
    let target = directory.path().join("sorted");
    let sorted = sort_by_group(&SortInput::Files(vec![input]), &target, 4 << 20).unwrap();
    assert_eq!(sorted.rows, 1000);
    assert!(sorted.spilled_bytes > 8 << 20, "{sorted:?}");
}
