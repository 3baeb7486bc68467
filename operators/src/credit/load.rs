//! Loading a signal from the unit's columns into flat values.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};

use super::column::{Column, Values};
use super::level::{Level, ROLLOUT};
use super::unit::{Unit, flat};
use crate::{Error, Place, Result};

const LARGEST_EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;

/// Loads a column of the unit as values at its level. Rows whose list is null have nulls.
pub(super) fn load(unit: &Unit, name: &str, level: &Level) -> Result<Column> {
    let array = unit.column(name).ok_or_else(|| Error::MissingSignal {
        recipe: "credit".into(),
        signal: name.to_owned(),
        hint: super::providers::provider(name).to_owned(),
    })?;
    if *level == ROLLOUT {
        return values(name, array, level);
    }
    let extent = unit.extent(level)?;
    let list = array.as_list_opt::<i32>().ok_or_else(|| {
        Error::data(Place::default().column(name), "is not a list", "")
    })?;
    let outer = match level.parts() {
        Some((outer, _)) => unit.extent(&outer)?,
        None => extent.clone(),
    };
    let aligned = (0..unit.rows()).all(|row| {
        list.value_length(row) as usize == outer.rows[row + 1] - outer.rows[row]
    });
    if !aligned {
        return load_with_nulls(unit, name, level, list, &outer.rows);
    }
    let child = flat(list);
    if level.parts().is_some() {
        let lists = child.as_list_opt::<i32>().ok_or_else(|| {
            Error::data(Place::default().column(name), "is not a list of lists", "")
        })?;
        let parts = extent.parts.as_deref().unwrap_or_default();
        if let Some(i) = (0..lists.len()).find(|&i| lists.value_length(i) as usize != parts[i].1 - parts[i].0) {
            return Err(Error::data(
                Place::default().column(name),
                format!("inner list {i} has {} values, but the first list of its level has {}", lists.value_length(i), parts[i].1 - parts[i].0),
                "every list of a level has the same length",
            ));
        }
        return values(name, &flat(lists), level);
    }
    values(name, &child, level)
}

fn load_with_nulls(unit: &Unit, name: &str, level: &Level, list: &arrow::array::ListArray, rows: &[usize]) -> Result<Column> {
    let child = values(name, &flat(list), level)?;
    let base = list.value_offsets()[0] as usize;
    let mut positions = Vec::with_capacity(rows.last().copied().unwrap_or(0));
    for row in 0..unit.rows() {
        let expected = rows[row + 1] - rows[row];
        let start = list.value_offsets()[row] as usize - base;
        let length = list.value_length(row) as usize;
        if list.is_valid(row) && length != expected {
            return Err(Error::data(
                unit.place(row, name),
                format!("has {length} values, but level {level} has {expected} elements"),
                "every list of a level has the same length",
            ));
        }
        positions.extend((0..expected).map(|i| list.is_valid(row).then_some(start + i)));
    }
    Ok(child.gather(Some(level.clone()), &positions))
}

fn values(name: &str, array: &ArrayRef, level: &Level) -> Result<Column> {
    let valid: Option<Vec<bool>> = array.nulls().filter(|nulls| nulls.null_count() > 0).map(|nulls| nulls.iter().collect());
    let values = match array.data_type() {
        DataType::Utf8 => Values::Text(array.as_string::<i32>().clone()),
        DataType::Boolean => Values::Boolean(array.as_boolean().values().iter().collect()),
        DataType::Float64 => Values::Number(array.as_primitive::<Float64Type>().values().to_vec()),
        other => {
            let numbers = cast(array, &DataType::Float64)?;
            let numbers = numbers.as_primitive::<Float64Type>().values().to_vec();
            if other.is_integer() && numbers.iter().any(|x| x.abs() > LARGEST_EXACT_INTEGER) {
                return Err(Error::data(Place::default().column(name), "holds integers beyond 2^53, which are not exact as numbers", "store ids of that size as text"));
            }
            Values::Number(numbers)
        }
    };
    Ok(Column { level: Some(level.clone()), values, valid })
}
