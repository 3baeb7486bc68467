//! Each kind of bad row, with the message that a person gets.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, ListArray,
    RecordBatch, StringArray, cast::AsArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::DataType;
use meed_operators::columns::{OnError, Rollouts, accept, complete, list_of, validate};
use meed_operators::{Error, Place};

use crate::rows::{batch, columns, full_list, list, row, text, with};

const FILE: &str = "a.parquet";

/// Asserts that only row `at` (of the batch, which starts at row 100) is rejected, and how.
fn rejects(batch: &RecordBatch, at: u64, column: &str, parts: &[&str]) {
    let found = validate(batch, FILE, 100).unwrap();
    let messages: Vec<_> = found.iter().map(|r| r.error.to_string()).collect();
    assert_eq!(found.len(), 1, "{messages:?}");
    assert_eq!(found[0].row, 100 + at);
    let message = &messages[0];
    assert!(message.starts_with(&format!("a.parquet, row {}, ", 100 + at)), "{message}");
    assert!(message.contains(&format!("column {column}: ")), "{message}");
    let ids: Option<&StringArray> = batch.column_by_name("rollout_id").map(|c| c.as_string());
    if let Some(ids) = ids.filter(|ids| ids.is_valid(at as usize)) {
        let rollout = format!("rollout {}, ", ids.value(at as usize));
        assert!(message.contains(&rollout), "{message}");
    }
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
    assert!(!found[0].error.hint().is_empty());
}

fn three() -> [crate::rows::Row; 3] {
    [row("a"), row("b"), row("c")]
}

#[test]
fn step_ends_that_run_backwards() {
    let mut rows = three();
    rows[1].step_ends = vec![3, 2];
    rejects(&batch(&rows), 1, "step_ends", &["runs backwards", "element 1 is 2, after 3"]);
}

#[test]
fn step_ends_that_miss_the_last_token() {
    let mut rows = three();
    rows[2].step_ends = vec![1, 2];
    rejects(&batch(&rows), 2, "step_ends", &["ends at 2", "3 tokens"]);
    rows[2].step_ends = vec![-1, 3];
    rejects(&batch(&rows), 2, "step_ends", &["negative offset -1"]);
}

#[test]
fn lists_whose_lengths_disagree() {
    let mut rows = three();
    rows[0].logprobs = Some(vec![Some(-1.0)]);
    rejects(&batch(&rows), 0, "token_rollout_logprobs", &["1 elements", "`token_mask` has 3"]);
    let mut rows = three();
    rows[1].step_rewards.push(None);
    rejects(&batch(&rows), 1, "step_rewards", &["3 elements", "`step_ends` has 2"]);
    let levels = with(&batch(&three()), "test_passed", full_list(&[1, 2, 0], floats(&[0.0; 3])));
    let levels = with(&levels, "test_names", full_list(&[1, 1, 0], text(&["x", "y"])));
    rejects(&levels, 1, "test_names", &["1 elements", "`test_passed` has 2"]);
}

fn floats(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

#[test]
fn inner_lists_of_a_pair_agree() {
    let pair = |lengths: &[usize]| {
        let values = floats(&vec![0.0; lengths.iter().sum()]);
        full_list(&[2, 2, 2], full_list(lengths, values))
    };
    let rows = with(&batch(&three()), "step_reference_scores", pair(&[1, 2, 1, 2, 1, 2]));
    assert!(validate(&rows, FILE, 0).unwrap().is_empty());
    let rows = with(&rows, "step_reference_weights", pair(&[1, 2, 1, 1, 1, 2]));
    rejects(
        &rows,
        1,
        "step_reference_weights",
        &["element 1 holds 1 values", "`step_reference_scores` it holds 2"],
    );
}

#[test]
fn nan_and_infinite_rewards() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let word = if bad.is_nan() { "NaN" } else { "infinite" };
        let mut rows = three();
        rows[1].reward = Some(bad);
        rejects(&batch(&rows), 1, "reward", &[word]);
        let mut rows = three();
        rows[2].step_rewards[1] = Some(bad);
        rejects(&batch(&rows), 2, "step_rewards", &[word, "element 1"]);
        let judged = with(&batch(&three()), "my_judge", floats(&[bad, 0.0, 0.0]));
        rejects(&judged, 0, "my_judge", &[word]);
    }
    let mut rows = three();
    rows[0].logprobs = Some(vec![None, None, Some(f32::NAN)]);
    rejects(&batch(&rows), 0, "token_rollout_logprobs", &["NaN at element 2"]);
    rows[0].logprobs = Some(vec![None, None, Some(f32::NEG_INFINITY)]);
    assert!(validate(&batch(&rows), FILE, 0).unwrap().is_empty(), "log 0 is no fault");
}

#[test]
fn nan_in_an_inner_list() {
    let values = floats(&[0.0, 1.0, 2.0, f64::NAN, 4.0, 5.0, 6.0]);
    let pair = full_list(&[2, 2, 2], full_list(&[1, 1, 1, 2, 1, 1], values));
    let rows = with(&batch(&three()), "step_reference_scores", pair);
    rejects(&rows, 1, "step_reference_scores", &["NaN at element 1"]);
    rejects(&rows.slice(1, 2), 0, "step_reference_scores", &["NaN at element 1"]);
    assert!(validate(&rows.slice(2, 1), FILE, 0).unwrap().is_empty());
}

#[test]
fn duplicate_ids() {
    let mut rows = three();
    rows[2].rollout = "a".to_owned();
    rejects(&batch(&rows), 2, "rollout_id", &["repeated"]);
    let iterations = Arc::new(Int64Array::from(vec![1, 1, 2]));
    assert!(validate(&with(&batch(&rows), "iteration", iterations), FILE, 0).unwrap().is_empty());
}

#[test]
fn null_keys_and_masks() {
    let rows = batch(&three());
    let ids: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("c")]));
    rejects(&with(&rows, "rollout_id", ids.clone()), 1, "rollout_id", &["null"]);
    rejects(&with(&rows, "group_id", ids), 1, "group_id", &["null"]);
    let mask = list(&[Some(3), Some(3), None], Arc::new(BooleanArray::from(vec![true; 6])));
    rejects(&with(&rows, "token_mask", mask), 2, "token_mask", &["null"]);
    let mut bits = vec![Some(true); 9];
    bits[4] = None;
    let mask = full_list(&[3; 3], Arc::new(BooleanArray::from(bits)));
    rejects(&with(&rows, "token_mask", mask), 1, "token_mask", &["element 1 is null"]);
}

#[test]
fn a_status_that_does_not_exist() {
    let rows = with(&batch(&three()), "status", text(&["complete", "error", "ok"]));
    rejects(&rows, 2, "status", &["unknown status `ok`"]);
}

fn offsets(lengths: &[usize], values: &[i32]) -> ArrayRef {
    full_list(lengths, Arc::new(Int32Array::from(values.to_vec())))
}

#[test]
fn spans_of_other_levels() {
    let rows = batch(&three());
    let ends = |values: &[i32]| with(&rows, "macro_ends", offsets(&[1, 2, 0], values));
    assert!(validate(&ends(&[2, 1, 3]), FILE, 0).unwrap().is_empty());
    rejects(&ends(&[2, 1, 4]), 1, "macro_ends", &["4 lies beyond the 3 tokens"]);
    rejects(&ends(&[2, 3, 1]), 1, "macro_ends", &["runs backwards"]);
    let starts = |values: &[i32]| with(&ends(&[2, 1, 3]), "macro_starts", offsets(&[1, 2, 0], values));
    assert!(validate(&starts(&[0, 1, 2]), FILE, 0).unwrap().is_empty());
    rejects(&starts(&[0, 2, 2]), 1, "macro_starts", &["span 0 starts at 2 and ends at 1"]);
}

#[test]
fn turns_run_forward() {
    let turns = |values: &[i32]| with(&batch(&three()), "step_turns", offsets(&[2; 3], values));
    assert!(validate(&turns(&[0, 0, 0, 1, 0, 3]), FILE, 0).unwrap().is_empty());
    rejects(&turns(&[0, 0, 1, 0, 0, 1]), 1, "step_turns", &["runs backwards", "turn 0, after turn 1"]);
    rejects(&turns(&[-1, 0, 0, 0, 0, 1]), 0, "step_turns", &["negative turn -1"]);
}

#[test]
fn steps_without_ends() {
    let ends = list(&[Some(2), None, Some(2)], Arc::new(Int32Array::from(vec![2, 3, 2, 3])));
    rejects(&with(&batch(&three()), "step_ends", ends), 1, "step_ends", &["`step_rewards` has 2 steps"]);
}

#[test]
fn what_is_absent_is_valid() {
    let mut rows = three();
    rows[0].reward = None;
    rows[0].mask = vec![false; 3];
    rows[1].logprobs = None;
    rows[1].step_rewards = vec![None, Some(1.0)];
    rows[2] = crate::rows::Row {
        mask: vec![],
        logprobs: Some(vec![]),
        step_ends: vec![],
        step_rewards: vec![],
        ..rows[2].clone()
    };
    let rows = batch(&rows);
    let (kept, rejected) = accept(rows.clone(), FILE, 0, OnError::Fail).unwrap();
    assert!(rejected.is_empty());
    assert_eq!(kept.columns(), rows.columns());
    assert!(!kept.schema().field_with_name("token_mask").unwrap().is_nullable());
    let rollouts = Rollouts::try_new(kept, &Place::file(FILE)).unwrap();
    assert_eq!(rollouts.token_offsets(), [0, 3, 6, 6]);
    assert_eq!(rollouts.step_ends().unwrap().as_ref(), [2, 3, 2, 3]);
    assert!(rollouts.reward().unwrap().is_null(0));
}

#[test]
fn what_hides_under_nulls_is_not_data() {
    let offsets = OffsetBuffer::from_lengths([3, 2, 3]);
    let mut values = vec![0.5f32; 8];
    values[3] = f32::NAN;
    values[4] = f32::NAN;
    values[0] = f32::NAN;
    let valid = NullBuffer::from_iter((0..8).map(|i| i != 0));
    let values = Arc::new(Float32Array::new(values.into(), Some(valid)));
    let field = match list_of(DataType::Float32) {
        DataType::List(field) => field,
        other => unreachable!("{other}"),
    };
    let rows = NullBuffer::from(vec![true, false, true]);
    let column = Arc::new(ListArray::new(field, offsets, values, Some(rows)));
    let batch = with(&batch(&three()), "token_values", column);
    let rollouts = Rollouts::try_new(batch, &Place::file(FILE)).unwrap();
    let list = rollouts.list("token_values").unwrap();
    assert_eq!(list.offsets.as_ref(), [0, 3, 3, 6]);
    assert_eq!(list.values.len(), 6);
}

#[test]
fn a_slice_is_seen_as_it_is() {
    let mut rows = three();
    rows[0].step_ends = vec![3, 1];
    rows[0].reward = Some(f64::NAN);
    let slice = batch(&rows).slice(1, 2);
    let rollouts = Rollouts::try_new(slice, &Place::file(FILE).row(1)).unwrap();
    assert_eq!(rollouts.token_offsets(), [0, 3, 6]);
    assert_eq!(rollouts.mask().len(), 6);
    assert_eq!(rollouts.step_offsets().unwrap().as_ref(), [0, 2, 4]);
    rows[2].reward = Some(f64::NAN);
    rejects(&batch(&rows).slice(1, 2), 1, "reward", &["rollout c"]);
}

#[test]
fn an_empty_batch_is_valid() {
    let (kept, rejected) = accept(batch(&[]), FILE, 0, OnError::Fail).unwrap();
    assert_eq!((kept.num_rows(), rejected.len()), (0, 0));
    let rollouts = Rollouts::try_new(kept, &Place::file(FILE)).unwrap();
    assert_eq!(rollouts.token_offsets(), [0]);
    assert!(rollouts.is_empty());
}

#[test]
fn a_million_tokens_beside_short_rollouts() {
    let mut rows = three();
    rows[1].mask = vec![true; 1_000_000];
    rows[1].logprobs = Some(vec![Some(-0.1); 1_000_000]);
    rows[1].step_ends = vec![1, 1_000_000];
    assert!(validate(&batch(&rows), FILE, 0).unwrap().is_empty());
    rows[1].logprobs.as_mut().unwrap()[999_999] = Some(f32::NAN);
    rejects(&batch(&rows), 1, "token_rollout_logprobs", &["NaN at element 999999"]);
}

#[test]
fn all_bad_rows_are_counted_and_twenty_spelled_out() {
    let mut rows: Vec<_> = (0..50).map(|i| row(&format!("r{i}"))).collect();
    for bad in &mut rows[5..35] {
        bad.reward = Some(f64::NAN);
    }
    let error = accept(batch(&rows), FILE, 0, OnError::Fail).unwrap_err().to_string();
    assert!(error.starts_with("a.parquet, row 5, rollout r5, column reward: NaN"), "{error}");
    assert!(error.contains("and 29 more bad rows, the first 19 of them:"), "{error}");
    assert!(error.contains("rollout r24") && !error.contains("rollout r25"), "{error}");
    let (kept, rejected) = accept(batch(&rows), FILE, 0, OnError::Skip).unwrap();
    assert_eq!((kept.num_rows(), rejected.len()), (20, 30));
    assert!(validate(&kept, FILE, 0).unwrap().is_empty());
}

#[test]
fn wrong_types_are_an_error_of_the_file() {
    let rows = with(&batch(&three()), "reward", text(&["1", "0", "1"]));
    for (error, message) in [
        (complete(rows.clone(), FILE).unwrap_err(), "text where Float64 is expected"),
        (validate(&rows, FILE, 0).unwrap_err(), "type Utf8 where Float64 is expected"),
    ] {
        assert!(matches!(error, Error::Data { .. }));
        assert_eq!(error.to_string(), format!("a.parquet, column reward: {message}"));
        assert!(!error.hint().is_empty());
    }
    let columns = columns(&three()).into_iter().filter(|(name, _)| *name != "token_mask");
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    let error = Rollouts::try_new(rows, &Place::file(FILE)).unwrap_err().to_string();
    assert_eq!(error, "a.parquet, column token_mask: the column is missing");
}
