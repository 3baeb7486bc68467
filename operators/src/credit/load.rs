//! Loading a signal from the unit's columns into flat values.

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
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
    let list = array
        .as_list_opt::<i32>()
        .ok_or_else(|| Error::data(Place::default().column(name), "is not a list", ""))?;
    if let Some((outer, _)) = level.parts() {
        return load_pair(unit, name, level, list, &outer);
    }
    let aligned = (0..unit.rows())
        .all(|row| list.value_length(row) as usize == extent.rows[row + 1] - extent.rows[row]);
    if !aligned {
        return load_with_nulls(unit, name, level, list, &extent.rows);
    }
    values(name, &flat(list), level)
}

/// Lists of lists. Null cells and null inner lists have a null per inner element.
fn load_pair(unit: &Unit, name: &str, level: &Level, list: &ListArray, outer: &Level) -> Result<Column> {
    let (extent, outer) = (unit.extent(level)?, unit.extent(outer)?);
    let parts = extent.parts.as_deref().unwrap_or_default();
    let lists = list
        .values()
        .as_list_opt::<i32>()
        .ok_or_else(|| Error::data(Place::default().column(name), "is not a list of lists", ""))?;
    let mut positions = Vec::with_capacity(extent.len());
    for row in 0..unit.rows() {
        for (i, &(begin, end)) in parts[outer.rows[row]..outer.rows[row + 1]].iter().enumerate() {
            let at = list.value_offsets()[row] as usize + i;
            if list.is_null(row) || lists.is_null(at) {
                positions.extend(std::iter::repeat_n(None, end - begin));
                continue;
            }
            let (start, past) = (lists.value_offsets()[at] as usize, lists.value_offsets()[at + 1] as usize);
            if past - start != end - begin {
                return Err(Error::data(
                    unit.place(row, name),
                    format!(
                        "inner list {i} has {} values, but another list of its level has {}",
                        past - start,
                        end - begin
                    ),
                    "every list of a level has the same length",
                ));
            }
            positions.extend((start..past).map(Some));
        }
    }
    let child = values(name, lists.values(), level)?;
    let straight =
        positions.len() == child.len() && positions.iter().enumerate().all(|(i, at)| *at == Some(i));
    Ok(if straight { child } else { child.gather(Some(level.clone()), &positions) })
}

fn load_with_nulls(
    unit: &Unit,
    name: &str,
    level: &Level,
    list: &ListArray,
    rows: &[usize],
) -> Result<Column> {
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
    let valid: Option<Vec<bool>> =
        array.nulls().filter(|nulls| nulls.null_count() > 0).map(|nulls| nulls.iter().collect());
    let values = match array.data_type() {
        DataType::Utf8 => Values::Text(array.as_string::<i32>().clone()),
        DataType::Boolean => Values::Boolean(array.as_boolean().values().iter().collect()),
        DataType::Float64 => Values::Number(array.as_primitive::<Float64Type>().values().to_vec()),
        other => {
            let numbers = cast(array, &DataType::Float64)?;
            let numbers = numbers.as_primitive::<Float64Type>().values().to_vec();
            if other.is_integer() && numbers.iter().any(|x| x.abs() > LARGEST_EXACT_INTEGER) {
                return Err(Error::data(
                    Place::default().column(name),
                    "holds integers beyond 2^53, which are not exact as numbers",
                    "store ids of that size as text",
                ));
            }
            Values::Number(numbers)
        }
    };
    Ok(Column { level: Some(level.clone()), values, valid })
}
