//! Evaluated values of one expression: a flat column at one level.

use arrow::array::{Array, StringArray};

use super::level::Level;

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// A number, computed in `f64`.
    Number,
    /// A whole number: may be a key.
    Integer,
    /// True or false.
    Boolean,
    /// Text: may be a key.
    Text,
}

/// Flat values.
#[derive(Debug, Clone)]
pub enum Values {
    /// Numbers and integers.
    Number(Vec<f64>),
    /// Booleans.
    Boolean(Vec<bool>),
    /// Text; its own null buffer is mirrored in [`Column::valid`].
    Text(StringArray),
}

/// Values of an expression, one per element of its level in the unit's rows, in order.
#[derive(Debug, Clone)]
pub struct Column {
    /// The level; `None` for a constant, which has one value.
    pub level: Option<Level>,
    /// The values; unspecified where not valid.
    pub values: Values,
    /// False where null; `None` if no value is null.
    pub valid: Option<Vec<bool>>,
}

impl Column {
    pub(super) fn numbers(level: Option<Level>, values: Vec<f64>) -> Self {
        Column { level, values: Values::Number(values), valid: None }
    }

    pub(super) fn booleans(level: Option<Level>, values: Vec<bool>) -> Self {
        Column { level, values: Values::Boolean(values), valid: None }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        match &self.values {
            Values::Number(values) => values.len(),
            Values::Boolean(values) => values.len(),
            Values::Text(values) => values.len(),
        }
    }

    /// True without values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if value `i` is not null.
    pub fn is_valid(&self, i: usize) -> bool {
        self.valid.as_ref().is_none_or(|valid| valid[i])
    }

    /// The numbers; empty for another type (which the checker has excluded).
    pub fn as_numbers(&self) -> &[f64] {
        match &self.values {
            Values::Number(values) => values,
            _ => &[],
        }
    }

    /// The booleans; empty for another type (which the checker has excluded).
    pub fn as_booleans(&self) -> &[bool] {
        match &self.values {
            Values::Boolean(values) => values,
            _ => &[],
        }
    }

    /// The number at `i`, `None` where null.
    pub fn number(&self, i: usize) -> Option<f64> {
        self.is_valid(i).then(|| self.as_numbers()[i])
    }

    pub(super) fn with_valid(mut self, valid: Vec<bool>) -> Self {
        self.valid = if valid.iter().all(|&valid| valid) { None } else { Some(valid) };
        self
    }

    /// Value `i` on the whole of range `i`; null where no range lies. Where ranges overlap, the last one counts.
    pub(super) fn fill(&self, level: Option<Level>, length: usize, ranges: &[(usize, usize)]) -> Column {
        fn filled<T: Copy>(of: &[T], empty: T, length: usize, ranges: &[(usize, usize)]) -> Vec<T> {
            let mut values = vec![empty; length];
            for (&value, &(first, past)) in of.iter().zip(ranges) {
                values[first..past].fill(value);
            }
            values
        }
        let values = match &self.values {
            Values::Number(values) => Values::Number(filled(values, 0.0, length, ranges)),
            Values::Boolean(values) => Values::Boolean(filled(values, false, length, ranges)),
            Values::Text(_) => {
                let mut positions = vec![None; length];
                for (i, &(first, past)) in ranges.iter().enumerate() {
                    positions[first..past].fill(Some(i));
                }
                return self.gather(level, &positions);
            }
        };
        let end = ranges.iter().try_fold(0, |end, &(first, past)| (first == end).then_some(past));
        if self.valid.is_none() && end == Some(length) {
            return Column { level, values, valid: None };
        }
        let own = self.valid.clone().unwrap_or_else(|| vec![true; ranges.len()]);
        Column { level, values, valid: None }.with_valid(filled(&own, false, length, ranges))
    }

    /// Values at the given positions; `None` becomes null.
    pub(super) fn gather(&self, level: Option<Level>, positions: &[Option<usize>]) -> Column {
        let valid: Vec<bool> = positions.iter().map(|at| at.is_some_and(|at| self.is_valid(at))).collect();
        let values = match &self.values {
            Values::Number(values) => {
                Values::Number(positions.iter().map(|at| at.map_or(0.0, |at| values[at])).collect())
            }
            Values::Boolean(values) => {
                Values::Boolean(positions.iter().map(|at| at.is_some_and(|at| values[at])).collect())
            }
            Values::Text(values) => Values::Text(
                positions
                    .iter()
                    .map(|at| at.filter(|&at| self.is_valid(at)).map(|at| values.value(at)))
                    .collect(),
            ),
        };
        Column { level, values, valid: None }.with_valid(valid)
    }
}
