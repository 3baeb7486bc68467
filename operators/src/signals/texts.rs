//! Columns that operators read: lists of text, lists of lists of text, numbers.

use arrow::array::{Array, AsArray, ListArray, StringArray};
use arrow::datatypes::Float64Type;

use crate::credit::{Unit, provider};
use crate::{Error, Place, Result};

/// A column with one list of texts per rollout.
pub(super) struct Texts<'a> {
    list: &'a ListArray,
    values: &'a StringArray,
}

/// A column with one list of lists of texts per rollout.
pub(super) struct NestedTexts<'a> {
    list: &'a ListArray,
    inner: Texts<'a>,
}

impl<'a> Texts<'a> {
    pub(super) fn new(unit: &'a Unit, operator: &str, name: &str) -> Result<Self> {
        Self::of(column(unit, operator, name)?, name)
    }

    fn of(list: &'a ListArray, name: &str) -> Result<Self> {
        let values = list.values().as_string_opt().ok_or_else(|| wrong(name, "hold texts"))?;
        Ok(Texts { list, values })
    }

    /// The texts of a list, null where the element is; `None` where the list is null.
    pub(super) fn row(&self, row: usize) -> Option<Vec<Option<&'a str>>> {
        self.list.is_valid(row).then(|| {
            let offsets = self.list.value_offsets();
            let elements = offsets[row] as usize..offsets[row + 1] as usize;
            elements.map(|i| self.values.is_valid(i).then(|| self.values.value(i))).collect()
        })
    }
}

impl<'a> NestedTexts<'a> {
    pub(super) fn new(unit: &'a Unit, operator: &str, name: &str) -> Result<Self> {
        let list = column(unit, operator, name)?;
        let inner = list.values().as_list_opt().ok_or_else(|| wrong(name, "hold lists of texts"))?;
        Ok(NestedTexts { list, inner: Texts::of(inner, name)? })
    }

    /// The lists of a row, without null texts; a null inner list is empty. `None` where the row is null.
    pub(super) fn row(&self, row: usize) -> Option<Vec<Vec<&'a str>>> {
        self.list.is_valid(row).then(|| {
            let offsets = self.list.value_offsets();
            let lists = offsets[row] as usize..offsets[row + 1] as usize;
            lists.map(|i| self.inner.row(i).into_iter().flatten().flatten().collect()).collect()
        })
    }
}

/// A column with one text per rollout.
pub(super) fn text_column<'a>(unit: &'a Unit, operator: &str, name: &str) -> Result<&'a StringArray> {
    let column = unit.column(name).ok_or_else(|| missing(operator, name))?;
    column.as_string_opt().ok_or_else(|| wrong(name, "hold texts"))
}

/// A list column that an operator reads.
pub(super) fn column<'a>(unit: &'a Unit, operator: &str, name: &str) -> Result<&'a ListArray> {
    if unit.column(name).is_none() {
        return Err(missing(operator, name));
    }
    unit.list(name).ok_or_else(|| wrong(name, "be a list"))
}

fn missing(operator: &str, name: &str) -> Error {
    Error::MissingSignal {
        recipe: operator.to_owned(),
        signal: name.to_owned(),
        hint: provider(name).to_owned(),
    }
}

pub(super) fn wrong(name: &str, wanted: &str) -> Error {
    Error::data(
        Place::default().column(name),
        format!("must {wanted}"),
        "see the recipe that reads it for what its values are",
    )
}

/// A column of one number per rollout that an operator reads, `None` for rollouts that take no part in statistics:
/// without the number, or without a trainable token.
pub(super) fn counted_numbers(unit: &Unit, operator: &str, name: &str) -> Result<Vec<Option<f64>>> {
    let column = unit.column(name).ok_or_else(|| missing(operator, name))?;
    let numbers =
        column.as_primitive_opt::<Float64Type>().ok_or_else(|| wrong(name, "be a Float64 per rollout"))?;
    let mut counted: Vec<Option<f64>> = numbers.iter().collect();
    for row in unit.without_trainable_token()? {
        counted[row] = None;
    }
    Ok(counted)
}
