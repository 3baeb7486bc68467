//! From plain rollouts to a record batch, in any row order.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::Field;

use crate::data::{Cell, Data, Row};

/// A list column of cells.
pub fn list<T: Clone>(cells: &[Cell<T>], values: impl Fn(Vec<Option<T>>) -> ArrayRef) -> ArrayRef {
    let flat: Vec<Option<T>> = cells.iter().flatten().flatten().cloned().collect();
    let values = values(flat);
    let field = Arc::new(Field::new("element", values.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(cells.iter().map(|cell| cell.as_ref().map_or(0, Vec::len)));
    let nulls = NullBuffer::from_iter(cells.iter().map(Option::is_some));
    Arc::new(ListArray::new(field, offsets, values, Some(nulls)))
}

pub fn doubles(values: Vec<Option<f64>>) -> ArrayRef {
    Arc::new(Float64Array::from(values))
}

pub fn offsets(values: Vec<Option<usize>>) -> ArrayRef {
    Arc::new(Int32Array::from_iter(values.into_iter().map(|x| x.map(|x| x as i32))))
}

pub fn integers(values: Vec<Option<i64>>) -> ArrayRef {
    Arc::new(Int64Array::from(values))
}

pub fn texts(values: Vec<Option<String>>) -> ArrayRef {
    Arc::new(StringArray::from_iter(values))
}

pub fn whole<T: Clone>(values: &[T]) -> Cell<T> {
    Some(values.iter().cloned().map(Some).collect())
}

/// All columns of the rows, in the given order.
pub fn columns(data: &Data, order: &[usize]) -> Vec<(&'static str, ArrayRef)> {
    let rows: Vec<&Row> = order.iter().map(|&row| &data.rows[row]).collect();
    macro_rules! scalar {
        ($array:ident, $row:ident, $of:expr) => {
            Arc::new($array::from_iter(rows.iter().map(|$row| $of))) as ArrayRef
        };
    }
    macro_rules! lists {
        ($values:expr, $row:ident, $of:expr) => {
            list(&rows.iter().map(|$row| $of).collect::<Vec<_>>(), $values)
        };
    }
    let tests = |values: Vec<Option<Vec<Option<f64>>>>| list(&values, doubles);
    let mut columns = vec![
        ("iteration", scalar!(Int64Array, row, Some(row.iteration))),
        ("group_id", scalar!(StringArray, row, Some(&row.group))),
        ("rollout_id", scalar!(StringArray, row, Some(&row.id))),
        ("reward", scalar!(Float64Array, row, row.reward)),
        ("cost", scalar!(Float64Array, row, row.cost)),
        ("seed", scalar!(Int64Array, row, row.seed)),
        ("label", scalar!(StringArray, row, row.label.as_ref())),
        ("parent", scalar!(StringArray, row, row.parent.as_ref())),
        ("split", scalar!(Int64Array, row, row.split)),
        ("token_mask", lists!(|values| Arc::new(BooleanArray::from(values)), row, whole(&row.mask))),
        ("token_scores", lists!(doubles, row, row.token_scores.clone())),
        ("token_marks", lists!(doubles, row, row.token_marks.clone())),
        ("step_ends", lists!(offsets, row, whole(&row.step_ends))),
        ("step_kinds", lists!(texts, row, whole(&row.step_kinds))),
        ("step_rewards", lists!(doubles, row, row.step_rewards.clone())),
        ("step_states", lists!(texts, row, row.step_states.clone())),
        ("step_agents", lists!(texts, row, row.step_agents.clone())),
        ("turn_scores", lists!(doubles, row, row.turn_scores.clone())),
        ("turn_test_passed", lists!(tests, row, row.passed.clone())),
        ("test_weights", lists!(doubles, row, row.test_weights.clone())),
        ("macro_ends", lists!(offsets, row, whole(&row.macros.ends))),
        ("macro_scores", lists!(doubles, row, row.macros.scores.clone())),
        ("slice_starts", lists!(offsets, row, whole(&row.slices.starts))),
        ("slice_ends", lists!(offsets, row, whole(&row.slices.ends))),
        ("slice_scores", lists!(doubles, row, row.slices.scores.clone())),
        ("agent_ids", lists!(texts, row, row.agent_ids.clone())),
        ("agent_scores", lists!(doubles, row, row.agent_scores.clone())),
        ("agent_spots", lists!(integers, row, row.agent_spots.clone())),
    ];
    if data.given_turns {
        let turns = |values: Vec<Option<i64>>| {
            Arc::new(Int32Array::from_iter(values.into_iter().map(|x| x.map(|x| x as i32)))) as ArrayRef
        };
        columns.push(("step_turns", lists!(turns, row, row.step_turns.as_deref().and_then(whole))));
    }
    columns
}

/// A record batch of the rows in the given order.
pub fn batch(data: &Data, order: &[usize]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(
        columns(data, order).into_iter().map(|(name, column)| (name, column, true)),
    )
    .unwrap()
}
