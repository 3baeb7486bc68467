//! Rows that the tests make, and shorthands to write and read them.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, BooleanBuilder, Float32Builder, Float64Array, Int64Array, ListBuilder, RecordBatch, StringArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use meed_connectors::Location;
use meed_operators::columns::list_of;
use meed_operators::engine::Batches;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

/// A row: iteration, group, and the number of its tokens.
pub type Row = (i64, &'static str, usize);

/// Columns as meed writes them.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("iteration", DataType::Int64, false),
        Field::new("group_id", DataType::Utf8, false),
        Field::new("rollout_id", DataType::Utf8, false),
        Field::new("reward", DataType::Float64, true),
        Field::new("token_mask", list_of(DataType::Boolean), false),
        Field::new("token_advantages", list_of(DataType::Float32), true),
        Field::new("step_texts", list_of(DataType::Utf8), true),
    ]))
}

/// One rollout a row, called `r0`, `r1`, ... from `first`; every third reward is null.
pub fn rows(first: usize, rows: &[Row]) -> RecordBatch {
    let element = |data_type| Arc::new(Field::new("element", data_type, true));
    let mut masks = ListBuilder::new(BooleanBuilder::new()).with_field(element(DataType::Boolean));
    let mut advantages = ListBuilder::new(Float32Builder::new()).with_field(element(DataType::Float32));
    let mut texts = ListBuilder::new(arrow::array::StringBuilder::new()).with_field(element(DataType::Utf8));
    for (index, (_, _, tokens)) in rows.iter().enumerate() {
        for token in 0..*tokens {
            masks.values().append_value(token % 5 != 0);
            advantages.values().append_value((first + index) as f32 * 0.1 + token as f32);
        }
        masks.append(true);
        advantages.append((first + index) % 4 != 1);
        texts.values().append_value(format!("step \"{}\" \u{1f600}\n", first + index));
        texts.values().append_null();
        texts.append(true);
    }
    let indexes = first..first + rows.len();
    RecordBatch::try_new(
        schema(),
        vec![
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1))),
            Arc::new(StringArray::from_iter_values(indexes.clone().map(|i| format!("r{i}")))),
            Arc::new(Float64Array::from_iter(indexes.map(|i| (i % 3 != 2).then_some(i as f64 / 7.0)))),
            Arc::new(masks.finish()),
            Arc::new(advantages.finish()),
            Arc::new(texts.finish()),
        ],
    )
    .unwrap()
}

/// Writes a Parquet file with row groups of `group_rows` rows.
pub fn write_parquet(path: &Path, batch: &RecordBatch, group_rows: usize) {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group_rows)).build();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

/// The location of a local path.
pub fn at(path: &Path) -> Location {
    Location::parse(path.to_str().unwrap()).unwrap()
}

/// All batches as one.
pub fn together(schema: &SchemaRef, batches: Batches) -> RecordBatch {
    let batches: Vec<RecordBatch> = batches.map(Result::unwrap).collect();
    concat_batches(schema, &batches).unwrap()
}

/// The values of a text column.
pub fn texts(batch: &RecordBatch, column: &str) -> Vec<String> {
    let column = batch.column_by_name(column).unwrap();
    let column = column.as_any().downcast_ref::<StringArray>().unwrap();
    column.iter().map(|value| value.unwrap().to_owned()).collect()
}
