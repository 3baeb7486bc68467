//! Cells as an Arrow array of a type.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, ListArray, StringArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::DataType;

/// One value, or a list of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Number(f64),
    Flag(bool),
    Text(String),
    List(Vec<Cell>),
}

impl From<f64> for Cell {
    fn from(x: f64) -> Self {
        Cell::Number(x)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::Text(text.to_owned())
    }
}

impl From<Vec<Cell>> for Cell {
    fn from(cells: Vec<Cell>) -> Self {
        Cell::List(cells)
    }
}

impl<T: Into<Cell>> FromIterator<T> for Cell {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Cell::List(values.into_iter().map(Into::into).collect())
    }
}

/// The cells as an array of a type; a cell of another kind is an error.
pub fn array(cells: &[Cell], data_type: &DataType) -> Result<ArrayRef, String> {
    let refuse = |cell: &Cell| format!("{cell:?} is no {data_type}");
    let number = |cell: &Cell| match cell {
        Cell::Null => Ok(None),
        Cell::Number(x) => Ok(Some(*x)),
        other => Err(refuse(other)),
    };
    let numbers = || cells.iter().map(number).collect::<Result<Vec<Option<f64>>, String>>();
    Ok(match data_type {
        DataType::Float64 => Arc::new(Float64Array::from(numbers()?)),
        DataType::Float32 => {
            Arc::new(numbers()?.into_iter().map(|x| x.map(|x| x as f32)).collect::<Float32Array>())
        }
        DataType::Int64 => {
            Arc::new(numbers()?.into_iter().map(|x| x.map(|x| x as i64)).collect::<Int64Array>())
        }
        DataType::Int32 => {
            Arc::new(numbers()?.into_iter().map(|x| x.map(|x| x as i32)).collect::<Int32Array>())
        }
        DataType::Boolean => {
            let flag = |cell: &Cell| match cell {
                Cell::Null => Ok(None),
                Cell::Flag(on) => Ok(Some(*on)),
                other => Err(refuse(other)),
            };
            Arc::new(cells.iter().map(flag).collect::<Result<BooleanArray, String>>()?)
        }
        DataType::Utf8 => {
            let text = |cell: &Cell| match cell {
                Cell::Null => Ok(None),
                Cell::Text(text) => Ok(Some(text.clone())),
                other => Err(refuse(other)),
            };
            Arc::new(cells.iter().map(text).collect::<Result<StringArray, String>>()?)
        }
        DataType::List(field) => {
            let (mut lengths, mut valid, mut flat) = (Vec::new(), Vec::new(), Vec::new());
            for cell in cells {
                match cell {
                    Cell::Null => lengths.push(0),
                    Cell::List(elements) => {
                        lengths.push(elements.len());
                        flat.extend_from_slice(elements);
                    }
                    other => return Err(refuse(other)),
                }
                valid.push(*cell != Cell::Null);
            }
            let values = array(&flat, field.data_type())?;
            let nulls = NullBuffer::from(valid);
            let offsets = OffsetBuffer::from_lengths(lengths);
            let list = ListArray::try_new(field.clone(), offsets, values, Some(nulls));
            Arc::new(list.map_err(|error| error.to_string())?)
        }
        other => return Err(format!("cannot be generated as {other}")),
    })
}
