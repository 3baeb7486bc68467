//! Columns that grow by one JSON value a row, and can take the last row back.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, ListArray, StringArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field};
use meed_operators::{Error, Result};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};

/// One column under construction.
pub(crate) struct JsonColumn {
    valid: Vec<bool>,
    values: Values,
    /// True for a column of text that keeps objects and other values as JSON text.
    any_json: bool,
}

enum Values {
    Boolean(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Text { ends: Vec<i32>, text: String },
    List { ends: Vec<i32>, child: Box<JsonColumn> },
}

impl JsonColumn {
    /// An empty column of a type; an error for types that JSON values are never read as.
    pub(crate) fn new(data_type: &DataType, any_json: bool) -> Result<Self> {
        let values = match data_type {
            DataType::Boolean => Values::Boolean(Vec::new()),
            DataType::Int32 => Values::Int32(Vec::new()),
            DataType::Int64 => Values::Int64(Vec::new()),
            DataType::Float32 => Values::Float32(Vec::new()),
            DataType::Float64 => Values::Float64(Vec::new()),
            DataType::Utf8 => Values::Text { ends: vec![0], text: String::new() },
            DataType::List(child) => {
                Values::List { ends: vec![0], child: Box::new(JsonColumn::new(child.data_type(), any_json)?) }
            }
            other => {
                return Err(Error::usage(format!("JSON has no values of type {other}"), ""));
            }
        };
        Ok(JsonColumn { valid: Vec::new(), values, any_json })
    }

    /// Number of values.
    pub(crate) fn len(&self) -> usize {
        self.valid.len()
    }

    /// Bytes of the values so far.
    pub(crate) fn bytes(&self) -> usize {
        self.valid.len()
            + match &self.values {
                Values::Boolean(values) => values.len(),
                Values::Int32(values) => values.len() * 4,
                Values::Float32(values) => values.len() * 4,
                Values::Int64(values) => values.len() * 8,
                Values::Float64(values) => values.len() * 8,
                Values::Text { ends, text } => ends.len() * 4 + text.len(),
                Values::List { ends, child } => ends.len() * 4 + child.bytes(),
            }
    }

    /// Keeps the first `rows` values.
    pub(crate) fn truncate(&mut self, rows: usize) {
        if rows >= self.valid.len() {
            // A list whose last row broke off has children that no row owns yet.
            if let Values::List { ends, child } = &mut self.values {
                child.truncate(ends[ends.len() - 1] as usize);
            }
            return;
        }
        self.valid.truncate(rows);
        match &mut self.values {
            Values::Boolean(values) => values.truncate(rows),
            Values::Int32(values) => values.truncate(rows),
            Values::Int64(values) => values.truncate(rows),
            Values::Float32(values) => values.truncate(rows),
            Values::Float64(values) => values.truncate(rows),
            Values::Text { ends, text } => {
                ends.truncate(rows + 1);
                text.truncate(ends[rows] as usize);
            }
            Values::List { ends, child } => {
                ends.truncate(rows + 1);
                child.truncate(ends[rows] as usize);
            }
        }
    }

    /// Adds a null.
    pub(crate) fn push_null(&mut self) {
        self.valid.push(false);
        match &mut self.values {
            Values::Boolean(values) => values.push(false),
            Values::Int32(values) => values.push(0),
            Values::Int64(values) => values.push(0),
            Values::Float32(values) => values.push(0.0),
            Values::Float64(values) => values.push(0.0),
            Values::Text { ends, .. } | Values::List { ends, .. } => ends.push(ends[ends.len() - 1]),
        }
    }

    /// Takes the values out as an array; the column is empty afterwards.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        let valid = std::mem::take(&mut self.valid);
        let nulls = valid.contains(&false).then(|| NullBuffer::from(valid));
        match &mut self.values {
            Values::Boolean(values) => Arc::new(BooleanArray::new(std::mem::take(values).into(), nulls)),
            Values::Int32(values) => Arc::new(Int32Array::new(std::mem::take(values).into(), nulls)),
            Values::Int64(values) => Arc::new(Int64Array::new(std::mem::take(values).into(), nulls)),
            Values::Float32(values) => Arc::new(Float32Array::new(std::mem::take(values).into(), nulls)),
            Values::Float64(values) => Arc::new(Float64Array::new(std::mem::take(values).into(), nulls)),
            Values::Text { ends, text } => {
                let text = Buffer::from_vec(std::mem::take(text).into_bytes());
                Arc::new(StringArray::new(offsets(ends), text, nulls))
            }
            Values::List { ends, child } => {
                let child = child.finish();
                let field = Arc::new(Field::new("element", child.data_type().clone(), true));
                Arc::new(ListArray::new(field, offsets(ends), child, nulls))
            }
        }
    }

    fn wanted(&self) -> &'static str {
        match (&self.values, self.any_json) {
            (Values::Text { .. }, true) => "JSON",
            (Values::Text { .. }, false) => "text",
            (Values::Boolean(_), _) => "true or false",
            (Values::Int32(_) | Values::Int64(_), _) => "an integer",
            (Values::Float32(_) | Values::Float64(_), _) => "a number",
            (Values::List { .. }, _) => "a list",
        }
    }

    fn wrong<E: serde::de::Error>(&self, found: impl fmt::Display) -> E {
        E::custom(format!("expected {}, found {found}", self.wanted()))
    }

    fn push_integer<E: serde::de::Error>(&mut self, value: i64) -> Result<(), E> {
        let out_of_range = || E::custom(format!("the integer {value} is out of range"));
        match &mut self.values {
            Values::Int32(values) => {
                values.push(i32::try_from(value).map_err(|_| out_of_range())?);
            }
            Values::Int64(values) => values.push(value),
            Values::Float32(values) => values.push(value as f32),
            Values::Float64(values) => values.push(value as f64),
            // Masks are often written as 0 and 1.
            Values::Boolean(values) if value == 0 || value == 1 => values.push(value == 1),
            _ => return Err(self.wrong(format!("the number {value}"))),
        }
        self.valid.push(true);
        Ok(())
    }

    fn push_float<E: serde::de::Error>(&mut self, value: f64) -> Result<(), E> {
        match &mut self.values {
            Values::Float64(values) => values.push(value),
            Values::Float32(values) => {
                let short = value as f32;
                if short.is_infinite() {
                    return Err(E::custom(format!("the number {value} is out of range")));
                }
                values.push(short);
            }
            // Whole numbers become floats in tables that have nulls beside them.
            Values::Int32(_) | Values::Int64(_)
                if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 =>
            {
                return self.push_integer(value as i64);
            }
            _ => return Err(self.wrong(format!("the number {value}"))),
        }
        self.valid.push(true);
        Ok(())
    }

    fn push_text<E: serde::de::Error>(&mut self, value: &str) -> Result<(), E> {
        let Values::Text { ends, text } = &mut self.values else {
            let begin: String = value.chars().take(40).collect();
            return Err(self.wrong(format!("the text {begin:?}")));
        };
        let end =
            i32::try_from(text.len() + value.len()).map_err(|_| E::custom("more than 2 GiB of text"))?;
        text.push_str(value);
        ends.push(end);
        self.valid.push(true);
        Ok(())
    }
}

fn offsets(ends: &mut Vec<i32>) -> OffsetBuffer<i32> {
    OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(ends, vec![0])))
}

/// Reads one JSON value into the column.
impl<'de> DeserializeSeed<'de> for &mut JsonColumn {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if !(self.any_json && matches!(self.values, Values::Text { .. })) {
            return deserializer.deserialize_any(self);
        }
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Null => self.push_null(),
            serde_json::Value::String(text) => self.push_text(&text)?,
            other => self.push_text(&other.to_string())?,
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for &mut JsonColumn {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.wanted())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.push_null();
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        let Values::Boolean(values) = &mut self.values else {
            return Err(self.wrong(value));
        };
        values.push(value);
        self.valid.push(true);
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.push_integer(value)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.push_integer(value),
            Err(_) => self.push_float(value as f64),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.push_float(value)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.push_text(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let Values::List { ends, child } = &mut self.values else {
            return Err(self.wrong("a list"));
        };
        while values.next_element_seed(&mut **child)?.is_some() {}
        let end =
            i32::try_from(child.len()).map_err(|_| A::Error::custom("more than 2,147,483,647 values"))?;
        ends.push(end);
        self.valid.push(true);
        Ok(())
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(self.wrong("an object"))
    }
}
