//! Finds the types of the columns of JSON Lines that no table defines, over the whole file.

use std::collections::HashMap;
use std::fmt;

use arrow::datatypes::DataType;
use meed_operators::columns::{Table, list_of};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What the values of a column look like.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Null,
    Boolean,
    Integer,
    Float,
    Text,
    Object,
    List(Box<Shape>),
}

impl Shape {
    /// The shape that holds the values of both; the first where none does, and the values of the
    /// second are then reported when they are read.
    fn or(self, other: Shape) -> Shape {
        match (self, other) {
            (Shape::Null, shape) | (shape, Shape::Null) => shape,
            (Shape::Integer, Shape::Float) => Shape::Float,
            (Shape::List(a), Shape::List(b)) => Shape::List(Box::new(a.or(*b))),
            (shape, _) => shape,
        }
    }

    /// The type of the column. Where only nulls were seen it is that of most signals, Float64.
    fn data_type(&self) -> DataType {
        match self {
            Shape::Boolean => DataType::Boolean,
            Shape::Integer => DataType::Int64,
            Shape::Float | Shape::Null => DataType::Float64,
            Shape::Text | Shape::Object => DataType::Utf8,
            Shape::List(child) => list_of(child.data_type()),
        }
    }

    fn holds_objects(&self) -> bool {
        match self {
            Shape::Object => true,
            Shape::List(child) => child.holds_objects(),
            _ => false,
        }
    }
}

/// A column of the file: name, type, and whether it keeps objects as JSON text.
pub(crate) struct FoundColumn {
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    pub(crate) any_json: bool,
}

/// The columns seen so far, in the order of their first appearance.
pub(crate) struct Shapes {
    table: Table,
    names: HashMap<String, usize>,
    columns: Vec<(String, Shape)>,
}

impl Shapes {
    /// Columns that `table` defines have its types.
    pub(crate) fn new(table: Table) -> Self {
        Shapes { table, names: HashMap::new(), columns: Vec::new() }
    }

    /// Takes note of a line. A line that cannot be read teaches nothing; reading reports it.
    pub(crate) fn add(&mut self, line: &str) {
        let Ok(Line(found)) = serde_json::from_str::<Line>(line) else {
            return;
        };
        for (name, shape) in found {
            match self.names.get(&name) {
                Some(index) => {
                    let known = &mut self.columns[*index].1;
                    *known = std::mem::replace(known, Shape::Null).or(shape);
                }
                None => {
                    self.names.insert(name.clone(), self.columns.len());
                    self.columns.push((name, shape));
                }
            }
        }
    }

    /// The columns with their types.
    pub(crate) fn finish(self) -> Vec<FoundColumn> {
        let table = self.table;
        let found = self.columns.into_iter().map(|(name, shape)| {
            let defined = table.column(&name).map(|column| column.column_type.data_type());
            FoundColumn {
                any_json: match defined {
                    Some(_) => ["metadata", "metrics", "parameters"].contains(&name.as_str()),
                    None => shape.holds_objects(),
                },
                data_type: defined.unwrap_or_else(|| shape.data_type()),
                name,
            }
        });
        found.collect()
    }
}

struct Line(Vec<(String, Shape)>);

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Line;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line, A::Error> {
                let mut found = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    found.push(entry);
                }
                Ok(Line(found))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;
        impl<'de> Visitor<'de> for AnyValue {
            type Value = Shape;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Shape, E> {
                Ok(Shape::Null)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
                Ok(Shape::Boolean)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
                Ok(Shape::Integer)
            }

            fn visit_u64<E>(self, value: u64) -> Result<Shape, E> {
                Ok(if i64::try_from(value).is_ok() { Shape::Integer } else { Shape::Float })
            }

            fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
                Ok(Shape::Float)
            }

            fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
                Ok(Shape::Text)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Shape, A::Error> {
                let mut child = Shape::Null;
                while let Some(value) = values.next_element()? {
                    child = child.or(value);
                }
                Ok(Shape::List(Box::new(child)))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Shape::Object)
            }
        }
        deserializer.deserialize_any(AnyValue)
    }
}
