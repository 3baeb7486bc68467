//! Batches of rollouts written by hand.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch,
    StringArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::Field;

/// One rollout.
#[derive(Debug, Clone)]
pub struct Row {
    pub group: &'static str,
    pub rollout: String,
    pub mask: Vec<bool>,
    pub logprobs: Option<Vec<Option<f32>>>,
    pub step_ends: Vec<i32>,
    pub step_rewards: Vec<Option<f64>>,
    pub reward: Option<f64>,
}

/// A valid rollout of three tokens and two steps.
pub fn row(rollout: &str) -> Row {
    Row {
        group: "g",
        rollout: rollout.to_owned(),
        mask: vec![true, false, true],
        logprobs: Some(vec![Some(-0.5), None, Some(-1.0)]),
        step_ends: vec![2, 3],
        step_rewards: vec![Some(0.0), Some(1.0)],
        reward: Some(1.0),
    }
}

/// A list column of these rows.
pub fn list(lengths: &[Option<usize>], values: ArrayRef) -> ArrayRef {
    let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|length| length.unwrap_or(0)));
    let nulls = NullBuffer::from_iter(lengths.iter().map(Option::is_some));
    let field = Arc::new(Field::new("element", values.data_type().clone(), true));
    Arc::new(ListArray::new(field, offsets, values, Some(nulls)))
}

/// A list column without null lists.
pub fn full_list(lengths: &[usize], values: ArrayRef) -> ArrayRef {
    let lengths: Vec<_> = lengths.iter().map(|&length| Some(length)).collect();
    list(&lengths, values)
}

/// A text column.
pub fn text(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// The columns of rollouts.
pub fn columns(rows: &[Row]) -> Vec<(&'static str, ArrayRef)> {
    let lengths = |of: fn(&Row) -> usize| -> Vec<usize> { rows.iter().map(of).collect() };
    let logprobs: Vec<_> = rows.iter().map(|row| row.logprobs.as_ref().map(Vec::len)).collect();
    vec![
        ("iteration", Arc::new(Int64Array::from_iter_values(rows.iter().map(|_| 3))) as ArrayRef),
        ("group_id", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.group)))),
        ("rollout_id", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.rollout)))),
        ("status", Arc::new(StringArray::from_iter_values(rows.iter().map(|_| "complete")))),
        ("reward", Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.reward)))),
        (
            "token_mask",
            full_list(
                &lengths(|row| row.mask.len()),
                Arc::new(BooleanArray::from_iter(rows.iter().flat_map(|row| &row.mask).map(|&b| Some(b)))),
            ),
        ),
        (
            "token_rollout_logprobs",
            list(
                &logprobs,
                Arc::new(Float32Array::from_iter(
                    rows.iter().filter_map(|row| row.logprobs.clone()).flatten(),
                )),
            ),
        ),
        (
            "step_ends",
            full_list(
                &lengths(|row| row.step_ends.len()),
                Arc::new(Int32Array::from_iter_values(rows.iter().flat_map(|row| row.step_ends.clone()))),
            ),
        ),
        (
            "step_rewards",
            full_list(
                &lengths(|row| row.step_rewards.len()),
                Arc::new(Float64Array::from_iter(rows.iter().flat_map(|row| row.step_rewards.clone()))),
            ),
        ),
    ]
}

/// A batch of rollouts.
pub fn batch(rows: &[Row]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns(rows).into_iter().map(|(n, c)| (n, c, true))).unwrap()
}

/// The same batch with a column replaced or added.
pub fn with(batch: &RecordBatch, name: &str, column: ArrayRef) -> RecordBatch {
    let schema = batch.schema();
    let mut columns: Vec<(String, ArrayRef, bool)> = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .filter(|(field, _)| field.name() != name)
        .map(|(field, column)| (field.name().clone(), column.clone(), true))
        .collect();
    columns.push((name.to_owned(), column, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}
