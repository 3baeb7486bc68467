//! One vector per step, as operators read them.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Float64Builder, ListArray, ListBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type};
use std::sync::Arc;

use super::texts::{column, wrong};
use crate::credit::{STEP, Unit};
use crate::{Error, Result};

/// A column with one list of numbers per step.
pub(super) struct StepVectors<'a> {
    unit: &'a Unit,
    name: &'a str,
    steps: Vec<usize>,
    rows: &'a ListArray,
    vectors: ListArray,
    numbers: Float64Array,
}

impl<'a> StepVectors<'a> {
    /// Reads the column.
    ///
    /// # Errors
    /// A column that is missing, or not of lists of numbers in lists.
    pub(super) fn of(operator: &str, unit: &'a Unit, name: &'a str) -> Result<Self> {
        let rows = column(unit, operator, name)?;
        let shape = || wrong(name, "hold one list of numbers per step");
        let vectors = rows.values().as_list_opt::<i32>().ok_or_else(shape)?.clone();
        if !vectors.values().data_type().is_numeric() {
            return Err(shape());
        }
        let numbers = cast(vectors.values(), &DataType::Float64)?.as_primitive::<Float64Type>().clone();
        Ok(StepVectors { unit, name, steps: unit.extent(&STEP)?.rows.clone(), rows, vectors, numbers })
    }

    /// The vectors of a rollout's steps, `None` for a step without one or with a null in it; `None` for a rollout
    /// whose list is null.
    ///
    /// # Errors
    /// Another number of vectors than steps, or vectors of different lengths.
    pub(super) fn row(&self, row: usize) -> Result<Option<Vec<Option<&[f64]>>>> {
        if self.rows.is_null(row) {
            return Ok(None);
        }
        let bad = |message: String| {
            Error::data(self.unit.place(row, self.name), message, "give every step a vector of one length")
        };
        let first = self.rows.value_offsets()[row] as usize;
        let (got, steps) = (self.rows.value_length(row) as usize, self.steps[row + 1] - self.steps[row]);
        if got != steps {
            return Err(bad(format!("has {got} vectors for {steps} steps")));
        }
        let mut width = None;
        let vector = |at: usize| {
            let range =
                self.vectors.value_offsets()[at] as usize..self.vectors.value_offsets()[at + 1] as usize;
            let known = self.vectors.is_valid(at) && range.clone().all(|i| self.numbers.is_valid(i));
            known.then(|| &self.numbers.values()[range])
        };
        let vectors = (first..first + got).map(vector).collect::<Vec<_>>();
        for (step, vector) in vectors.iter().enumerate() {
            if let Some(vector) = vector
                && *width.get_or_insert(vector.len()) != vector.len()
            {
                return Err(bad(format!("the vector of step {step} has {} numbers", vector.len())));
            }
        }
        Ok(Some(vectors))
    }
}

/// One optional number per step of each rollout as a column; a rollout without them is null.
pub(super) fn step_numbers(rows: impl IntoIterator<Item = Option<Vec<Option<f64>>>>) -> ArrayRef {
    let field = Arc::new(Field::new("element", DataType::Float64, true));
    let mut numbers = ListBuilder::new(Float64Builder::new()).with_field(field);
    for row in rows {
        let known = row.is_some();
        numbers.values().extend(row.into_iter().flatten());
        numbers.append(known);
    }
    Arc::new(numbers.finish())
}
