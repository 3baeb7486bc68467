//! From evaluated signals to rows of the advantages table.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float32Array, Float64Array, ListArray, RecordBatch, StringArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field};
use arrow::util::bit_iterator::BitSliceIterator;

use super::check::Checked;
use super::column::{Column, Values};
use super::evaluate::{Evaluated, NO_TRAINABLE_TOKEN, evaluate};
use super::level::{ROLLOUT, STEP, TOKEN, TURN};
use super::program::{ADVANTAGE, CLIP_HIGH, CLIP_LOW, RETURNS, WEIGHTS};
use super::statistics::BatchStatistics;
use super::unit::Unit;
use crate::columns::Table;
use crate::{Error, Place, Result};

/// A program with the name and parameters that its rows carry.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// Name of the recipe.
    pub recipe: String,
    /// Its parameters, as JSON.
    pub parameters: String,
    /// The checked program.
    pub checked: Checked,
}

/// What one assignment did to one unit.
pub struct Assigned {
    /// Rows of the advantages table, in canonical order.
    pub rows: RecordBatch,
    /// Every named signal.
    pub evaluated: Evaluated,
}

impl Assignment {
    /// Assigns credit to the rollouts of a unit: one row each, in canonical order.
    ///
    /// # Errors
    /// See [`evaluate`]; an infinite advantage is a fault of the recipe, with its place.
    pub fn assign(&self, unit: &Unit, statistics: &BatchStatistics) -> Result<Assigned> {
        let mut evaluated = evaluate(&self.checked, unit, statistics)?;
        let advantage = evaluated.signal(ADVANTAGE).cloned().ok_or_else(|| {
            Error::usage(
                format!("{}: no signal is called `{ADVANTAGE}`", self.recipe),
                "define the advantage",
            )
        })?;
        let mut in_loss = evaluated.in_baseline.clone();
        let tokens = Tokens::new(unit)?;
        for row in unit.without_trainable_token()? {
            in_loss[row] = false;
            evaluated.reasons[row].get_or_insert_with(|| NO_TRAINABLE_TOKEN.to_owned());
        }
        for name in [ADVANTAGE, RETURNS, WEIGHTS, CLIP_LOW, CLIP_HIGH] {
            let Some(column) = evaluated.signal(name).cloned() else {
                continue;
            };
            for (row, null) in tokens.rows_with_null(&column)?.into_iter().enumerate() {
                if null && in_loss[row] {
                    in_loss[row] = false;
                    evaluated.reasons[row] = Some(format!("{name} is null"));
                }
            }
        }
        let token_advantages = tokens.list(&self.recipe, ADVANTAGE, &advantage, Some(&in_loss))?;
        let step_advantages = self.step_advantages(unit, &advantage, &in_loss)?;
        let other = |name: &str| match evaluated.signal(name) {
            Some(column) => tokens.list(&self.recipe, name, column, None),
            None => Ok(null_list(DataType::Float32, unit.rows())),
        };
        let batch = unit.batch();
        let repeated = |text: &str| {
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, unit.rows()))) as ArrayRef
        };
        let columns: Vec<ArrayRef> = vec![
            key(batch, "iteration")?,
            key(batch, "group_id")?,
            key(batch, "rollout_id")?,
            repeated(&self.recipe),
            repeated(&self.parameters),
            Arc::new(BooleanArray::from(evaluated.in_baseline.clone())),
            Arc::new(BooleanArray::from(in_loss)),
            Arc::new(StringArray::from(evaluated.reasons.clone())),
            token_advantages,
            step_advantages,
            other(RETURNS)?,
            other(WEIGHTS)?,
            other(CLIP_LOW)?,
            other(CLIP_HIGH)?,
        ];
        let rows = RecordBatch::try_new(Table::Advantages.schema(), columns)?;
        Ok(Assigned { rows, evaluated })
    }

    /// The advantages of steps, where the recipe assigns credit to steps or turns; 0 in rollouts that are not
    /// trained on.
    fn step_advantages(&self, unit: &Unit, advantage: &Column, in_loss: &[bool]) -> Result<ArrayRef> {
        let positions: Vec<Option<usize>> = match &advantage.level {
            Some(level) if *level == STEP => (0..advantage.len()).map(Some).collect(),
            Some(level) if *level == TURN && self.checked.schema.has_level(&STEP) => {
                let mut positions = vec![None; unit.extent(&STEP)?.len()];
                for (turn, (first, past)) in unit.ranges(&TURN, &STEP)?.into_iter().enumerate() {
                    positions[first..past].fill(Some(turn));
                }
                positions
            }
            _ => return Ok(null_list(DataType::Float64, unit.rows())),
        };
        let column = advantage.gather(Some(STEP), &positions);
        let extent = unit.extent(&STEP)?;
        let mut values = match column.values {
            Values::Number(values) => values,
            Values::Boolean(truth) => truth.into_iter().map(|x| f64::from(u8::from(x))).collect(),
            Values::Text(_) => return Ok(null_list(DataType::Float64, unit.rows())),
        };
        let valid = |i: usize| column.valid.as_ref().is_none_or(|valid| valid[i]);
        for row in (0..unit.rows()).filter(|&row| !in_loss[row]) {
            values[extent.rows[row]..extent.rows[row + 1]].fill(0.0);
        }
        let values = values.into_iter().enumerate().map(|(i, x)| valid(i).then_some(x));
        list(Arc::new(Float64Array::from_iter(values)), &extent.rows)
    }
}

fn key(batch: &RecordBatch, name: &str) -> Result<ArrayRef> {
    batch
        .column_by_name(name)
        .cloned()
        .ok_or_else(|| Error::data(Place::default().column(name), "is missing", "complete the rows first"))
}

fn null_list(element: DataType, rows: usize) -> ArrayRef {
    arrow::array::new_null_array(&crate::columns::list_of(element), rows)
}

fn list(values: ArrayRef, rows: &[usize]) -> Result<ArrayRef> {
    let offsets: Vec<i32> = rows
        .iter()
        .map(|&offset| i32::try_from(offset))
        .collect::<Result<_, _>>()
        .map_err(|_| Error::usage("a unit has more than 2^31 tokens", "use smaller units or groups"))?;
    let field = Arc::new(Field::new("element", values.data_type().clone(), true));
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    Ok(Arc::new(ListArray::try_new(field, offsets, values, None::<NullBuffer>)?))
}

/// The tokens of a unit, onto which results are spread.
struct Tokens<'a> {
    unit: &'a Unit,
    rows: Vec<usize>,
    mask: BooleanArray,
}

impl<'a> Tokens<'a> {
    fn new(unit: &'a Unit) -> Result<Self> {
        Ok(Tokens { unit, rows: unit.extent(&TOKEN)?.rows.clone(), mask: unit.mask()? })
    }

    /// Runs of trainable tokens among `first..past`.
    fn trainable(&self, first: usize, past: usize) -> impl Iterator<Item = (usize, usize)> {
        let bits =
            BitSliceIterator::new(self.mask.values().values(), self.mask.offset() + first, past - first);
        bits.map(move |(begin, end)| (first + begin, first + end))
    }

    /// Ranges of tokens of each value of a column.
    fn ranges(&self, column: &Column) -> Result<Vec<(usize, usize)>> {
        let level = column.level.clone().unwrap_or(ROLLOUT);
        if level == TOKEN {
            return Ok(Vec::new());
        }
        if let Some((_, inner)) = level.parts() {
            return Err(Error::expression(
                level.name(),
                format!("is a level of {inner} items, which are no spans of tokens"),
                "reduce it first",
            ));
        }
        self.unit.ranges(&level, &TOKEN)
    }

    /// Rows in which a trainable token has no value, or lies in no element of the column's level.
    fn rows_with_null(&self, column: &Column) -> Result<Vec<bool>> {
        let rows = self.unit.rows();
        let level = column.level.as_ref();
        if let Some(valid) = &column.valid {
            if level.is_none() {
                return Ok(vec![!valid[0]; rows]);
            }
            if level == Some(&ROLLOUT) {
                return Ok(valid.iter().map(|valid| !valid).collect());
            }
        } else if level.is_none_or(|level| *level == ROLLOUT || *level == TOKEN) {
            return Ok(vec![false; rows]);
        }
        let count = |first: usize, past: usize| {
            self.trainable(first, past).map(|(begin, end)| end - begin).sum::<usize>()
        };
        let mut missing: Vec<usize> =
            (0..rows).map(|row| count(self.rows[row], self.rows[row + 1])).collect();
        let elements = self.unit.extent(level.unwrap_or(&TOKEN))?;
        let ranges = if level == Some(&TOKEN) { None } else { Some(self.ranges(column)?) };
        for (row, missing) in missing.iter_mut().enumerate() {
            for i in (elements.rows[row]..elements.rows[row + 1]).filter(|&i| column.is_valid(i)) {
                *missing -= match &ranges {
                    Some(ranges) => count(ranges[i].0, ranges[i].1),
                    None => usize::from(self.mask.value(i)),
                };
            }
        }
        Ok(missing.into_iter().map(|missing| missing > 0).collect())
    }

    /// One value per token: the column's where `token_mask` is true and the row is wanted, else 0.
    fn list(&self, recipe: &str, name: &str, column: &Column, wanted: Option<&[bool]>) -> Result<ArrayRef> {
        let mut values = vec![0f32; self.mask.len()];
        let constant = column.level.is_none();
        let numbers = match &column.values {
            Values::Number(numbers) => std::borrow::Cow::Borrowed(numbers.as_slice()),
            Values::Boolean(truth) => truth.iter().map(|&x| f64::from(u8::from(x))).collect(),
            Values::Text(_) => {
                return Err(Error::expression(name, "is text, where numbers are needed", ""));
            }
        };
        let finite = |i: usize, token: usize| {
            let x = numbers[i];
            if x.is_finite() {
                return Ok(x as f32);
            }
            let row = self.rows.partition_point(|&first| first <= token).saturating_sub(1);
            Err(Error::data(
                self.unit.place(row, name),
                format!("{recipe} produced {x}"),
                "give the recipe an epsilon or a zero rule",
            ))
        };
        if column.level.as_ref() == Some(&TOKEN) {
            for (begin, end) in self.trainable(0, self.mask.len()) {
                for (token, value) in (begin..end).zip(&mut values[begin..end]) {
                    if column.is_valid(token) {
                        *value = finite(token, token)?;
                    }
                }
            }
        } else {
            for (i, (first, past)) in self.ranges(column)?.into_iter().enumerate() {
                let i = if constant { 0 } else { i };
                if first == past || !column.is_valid(i) {
                    continue;
                }
                let x = finite(i, first)?;
                if x != 0.0 {
                    self.trainable(first, past).for_each(|(begin, end)| values[begin..end].fill(x));
                }
            }
        }
        if let Some(wanted) = wanted {
            for (row, _) in wanted.iter().enumerate().filter(|(_, wanted)| !**wanted) {
                values[self.rows[row]..self.rows[row + 1]].fill(0.0);
            }
        }
        list(Arc::new(Float32Array::from(values)), &self.rows)
    }
}
