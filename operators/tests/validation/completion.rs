//! Rows as files hold them, and what becomes of them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, FixedSizeListArray, Float32Array, Float64Array,
    Int32Array, Int64Array, LargeListArray, LargeStringArray, ListArray, NullArray, RecordBatch, StringArray,
    StringViewArray, UInt64Array, cast::AsArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Float32Type, Int32Type, Int64Type};
use meed_operators::columns::{complete, list_of, validate};

use crate::rows::{full_list, list, text};

fn with_keys(columns: Vec<(&'static str, ArrayRef)>) -> RecordBatch {
    let rows = columns.first().map_or(2, |(_, column)| column.len());
    let ids: Vec<String> = (0..rows).map(|row| format!("r{row}")).collect();
    let mut all: Vec<(&str, ArrayRef)> =
        vec![("group_id", text(&vec!["g"; rows])), ("rollout_id", Arc::new(StringArray::from(ids)))];
    all.extend(columns);
    RecordBatch::try_from_iter_with_nullable(all.into_iter().map(|(n, c)| (n, c, true))).unwrap()
}

fn completed(columns: Vec<(&'static str, ArrayRef)>) -> RecordBatch {
    let batch = complete(with_keys(columns), "f").unwrap();
    let rejected = validate(&batch, "f", 0).unwrap();
    assert!(rejected.is_empty(), "{rejected:?}");
    batch
}

fn refused(columns: Vec<(&'static str, ArrayRef)>) -> String {
    complete(with_keys(columns), "f").unwrap_err().to_string()
}

fn mask(batch: &RecordBatch, row: usize) -> Vec<bool> {
    let mask = batch.column_by_name("token_mask").unwrap().as_list::<i32>().value(row);
    mask.as_boolean().iter().map(|bit| bit.unwrap()).collect()
}

fn ends(batch: &RecordBatch, row: usize) -> Option<Vec<i32>> {
    let list = batch.column_by_name("step_ends")?.as_list::<i32>();
    list.is_valid(row).then(|| list.value(row).as_primitive::<Int32Type>().values().to_vec())
}

fn integers(values: &[i32]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

#[test]
fn every_encoding_becomes_the_declared_type() {
    let child = Arc::new(Field::new("item", DataType::Float64, false));
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![-1.0, -2.0, -3.0, -4.0]));
    let large: ArrayRef = Arc::new(LargeListArray::new(
        child.clone(),
        OffsetBuffer::from_lengths([2, 2]),
        floats.clone(),
        None,
    ));
    let fixed: ArrayRef = Arc::new(FixedSizeListArray::new(child, 2, floats.clone(), None));
    let dictionary: DictionaryArray<Int32Type> = ["complete", "error"].into_iter().collect();
    let batch = completed(vec![
        ("iteration", Arc::new(UInt64Array::from(vec![1, 2]))),
        ("status", Arc::new(dictionary)),
        ("reward", Arc::new(Int64Array::from(vec![1, 0]))),
        ("prompt", Arc::new(StringViewArray::from(vec!["p", "a longer text than a view holds"]))),
        ("response", Arc::new(LargeStringArray::from(vec!["a", "b"]))),
        ("reference", Arc::new(Int64Array::from(vec![42, -7]))),
        ("token_rollout_logprobs", large),
        ("token_my_signal", fixed),
        ("token_ids", full_list(&[2, 2], Arc::new(Int64Array::from(vec![1, 2, 3, 4])))),
        ("metadata", Arc::new(NullArray::new(2))),
        ("nothing", Arc::new(NullArray::new(2))),
        ("reward_kinds", full_list(&[0, 0], Arc::new(NullArray::new(0)))),
    ]);
    let type_of = |name: &str| batch.column_by_name(name).unwrap().data_type().clone();
    assert_eq!(type_of("iteration"), DataType::Int64);
    assert_eq!(type_of("status"), DataType::Utf8);
    assert_eq!(type_of("reward"), DataType::Float64);
    assert_eq!(type_of("prompt"), DataType::Utf8);
    assert_eq!(type_of("response"), DataType::Utf8);
    assert_eq!(type_of("metadata"), DataType::Utf8);
    assert_eq!(type_of("token_rollout_logprobs"), list_of(DataType::Float32));
    assert_eq!(type_of("token_my_signal"), list_of(DataType::Float64));
    assert_eq!(type_of("token_ids"), list_of(DataType::Int32));
    assert!(batch.column_by_name("nothing").is_none());
    assert!(batch.column_by_name("reward_kinds").is_none());
    let reference: &StringArray = batch.column_by_name("reference").unwrap().as_string();
    assert_eq!(reference.value(1), "-7");
    let iteration = batch.column_by_name("iteration").unwrap();
    assert_eq!(iteration.as_primitive::<Int64Type>().values().as_ref(), [1, 2]);
    let logprobs = batch.column_by_name("token_rollout_logprobs").unwrap().as_list::<i32>();
    assert_eq!(logprobs.value(1).as_primitive::<Float32Type>().values().as_ref(), [-3.0, -4.0]);
}

#[test]
fn values_that_do_not_fit_are_named() {
    let ids = full_list(&[1, 2], Arc::new(Int64Array::from(vec![1, 2, 1 << 40])));
    let error = refused(vec![("token_ids", ids.clone())]);
    assert_eq!(error, "f, rollout r1, column token_ids: 1099511627776 does not fit into Int32");
    let error = complete(with_keys(vec![("token_ids", ids)]).slice(1, 1), "f").unwrap_err();
    assert!(error.to_string().contains("rollout r1"), "{error}");

    let turns = full_list(&[1, 1], Arc::new(Float64Array::from(vec![0.0, 0.5])));
    let error = refused(vec![("step_turns", turns)]);
    assert!(error.contains("rollout r1, column step_turns: 0.5 is not an integer"), "{error}");

    let logprobs = full_list(&[1, 1], Arc::new(Float64Array::from(vec![-1e300, 0.5])));
    let error = refused(vec![("token_rollout_logprobs", logprobs)]);
    assert!(error.contains("rollout r0") && error.contains("does not fit into Float32"), "{error}");

    let mask = full_list(&[1, 1], integers(&[1, 2]));
    let error = refused(vec![("token_mask", mask)]);
    assert!(error.contains("rollout r1, column token_mask: 2 is neither 0 nor 1"), "{error}");
}

#[test]
fn values_under_nulls_need_not_fit() {
    let offsets = OffsetBuffer::from_lengths([2, 1]);
    let values = Arc::new(Int64Array::from(vec![1 << 40, 1 << 41, 5]));
    let field = Arc::new(Field::new("item", DataType::Int64, true));
    let rows = NullBuffer::from(vec![false, true]);
    let batch = completed(vec![("token_ids", Arc::new(ListArray::new(field, offsets, values, Some(rows))))]);
    assert_eq!(batch.column_by_name("token_ids").unwrap().as_list::<i32>().values().len(), 1);
}

#[test]
fn text_is_no_number_and_no_list() {
    let error = refused(vec![("token_values", full_list(&[1, 0], text(&["x"])))]);
    assert!(
        error.starts_with("f, column token_values: list of text where list of Float32 is expected"),
        "{error}"
    );
    let error = refused(vec![("token_ids", text(&["1 2", "3"]))]);
    assert!(error.starts_with("f, column token_ids: text where list of Int32 is expected"), "{error}");
    let error = refused(vec![("response", Arc::new(Int64Array::from(vec![1, 2])))]);
    assert!(error.contains("column response") && error.contains("where text is expected"), "{error}");
}

#[test]
fn masks_of_numbers_become_booleans() {
    let batch =
        completed(vec![("token_mask", full_list(&[2, 1], Arc::new(Int64Array::from(vec![1, 0, 1]))))]);
    assert_eq!(mask(&batch, 0), [true, false]);
}

#[test]
fn the_mask_follows_the_kinds_of_steps() {
    let batch = completed(vec![
        ("token_ids", list(&[Some(5), Some(2), None], integers(&[1, 2, 3, 4, 5, 6, 7]))),
        ("step_ends", list(&[Some(3), None, Some(2)], integers(&[2, 2, 5, 1, 4]))),
        (
            "step_kinds",
            list(&[Some(3), None, Some(2)], text(&["think", "policy", "observation", "user", "tool_call"])),
        ),
    ]);
    assert_eq!(mask(&batch, 0), [true, true, false, false, false]);
    assert_eq!(mask(&batch, 1), [true, true], "tokens without steps are all policy");
    assert_eq!(mask(&batch, 2), [false, true, true, true], "spans without ids still say the length");
}

#[test]
fn without_tokens_a_step_is_a_position() {
    let kinds = list(&[Some(3), None, Some(0)], text(&["system", "user", "answer"]));
    let rewards = list(&[Some(3), Some(2), None], Arc::new(Float64Array::from(vec![1.0; 5])));
    let batch = completed(vec![
        ("step_kinds", kinds),
        ("step_rewards", list(&[Some(3), Some(2), Some(0)], rewards.as_list::<i32>().values().clone())),
    ]);
    assert_eq!(mask(&batch, 0), [false, false, true]);
    assert_eq!(ends(&batch, 0), Some(vec![1, 2, 3]));
    assert_eq!(mask(&batch, 1), [true, true]);
    assert_eq!(ends(&batch, 1), Some(vec![1, 2]));
    assert_eq!(mask(&batch, 2), [true]);
    assert_eq!(ends(&batch, 2), None);
}

#[test]
fn a_null_mask_is_derived_only_where_there_are_no_tokens() {
    let mask_column = list(&[Some(2), None, None], Arc::new(BooleanArray::from(vec![true, false])));
    let ids = list(&[Some(2), None, Some(1)], integers(&[1, 2, 3]));
    let batch = complete(with_keys(vec![("token_mask", mask_column), ("token_ids", ids)]), "f").unwrap();
    assert_eq!(mask(&batch, 0), [true, false]);
    assert_eq!(mask(&batch, 1), [true]);
    let rejected = validate(&batch, "f", 0).unwrap();
    assert_eq!(rejected.len(), 1);
    assert!(rejected[0].error.to_string().contains("row 2, rollout r2, column token_mask: null"));
}

#[test]
fn steps_and_tokens_need_ends() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("token_ids", list(&[None, Some(2)], integers(&[1, 2]))),
        ("step_rewards", full_list(&[1, 1], Arc::new(Float64Array::from(vec![0.0, 1.0])))),
    ];
    let error = complete(with_keys(columns), "f").unwrap_err();
    assert!(error.to_string().starts_with("f, rollout r1, column step_ends: "), "{error}");
    assert!(error.hint().contains("step_ends"));
}

#[test]
fn a_projection_with_its_mask_is_left_alone() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("iteration", Arc::new(Int64Array::from(vec![0, 0]))),
        ("status", text(&["complete"; 2])),
        ("token_mask", full_list(&[3, 1], Arc::new(BooleanArray::from(vec![true; 4])))),
        ("step_rewards", full_list(&[1, 1], Arc::new(Float64Array::from(vec![0.0, 1.0])))),
        ("token_entropies", full_list(&[3, 1], Arc::new(Float32Array::from(vec![0.5; 4])))),
    ];
    let without_entropies = with_keys(columns[..4].to_vec());
    let batch = complete(without_entropies.clone(), "f").unwrap();
    assert!(Arc::ptr_eq(batch.schema_ref(), without_entropies.schema_ref()));
    assert!(refused(columns).contains("column step_ends"));
}

#[test]
fn corrupt_spans_do_not_break_completion() {
    let kinds = full_list(&[2, 2, 1], text(&["user", "policy", "user", "policy", "user"]));
    let ends = full_list(&[2, 2, 1], integers(&[9, 2, -4, 7, -1]));
    let ids = full_list(&[3, 3, 3], integers(&[1; 9]));
    let with_ids =
        with_keys(vec![("step_kinds", kinds.clone()), ("step_ends", ends.clone()), ("token_ids", ids)]);
    let batch = complete(with_ids, "f").unwrap();
    assert_eq!(validate(&batch, "f", 0).unwrap().len(), 3);
    let batch = complete(with_keys(vec![("step_kinds", kinds), ("step_ends", ends)]), "f").unwrap();
    assert_eq!(validate(&batch, "f", 0).unwrap().len(), 3);
}
