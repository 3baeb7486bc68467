//! The tables of meed and their columns: the one list from which schemas, documentation and checks follow.

mod complete;
mod conform;
mod convert;
mod definitions;
mod lengths;
mod names;
mod rollouts;
mod validate;
mod validate_duplicates;
mod validate_levels;
mod validate_spans;
mod validate_values;
mod with_columns;

pub use complete::{columns_to_read, complete};
pub use conform::conform;
pub use definitions::{ADVANTAGES, EDGES, NODES, ROLLOUTS, SCORES, UPDATES};
pub use names::{Role, role};
pub use rollouts::{ListColumn, Rollouts};
pub use validate::{OnError, Rejection, accept, summarize, validate};
pub use validate_duplicates::DuplicateCheck;
pub use with_columns::with_columns;

use names::list_element;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

/// The type of a column, restricted to what Delta can store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// 64-bit integer.
    Int64,
    /// 32-bit integer.
    Int32,
    /// 64-bit float.
    Float64,
    /// 32-bit float.
    Float32,
    /// Boolean.
    Boolean,
    /// Text.
    Utf8,
    /// A list of values, one per element of the level that the column's name begins with.
    List(&'static ColumnType),
}

impl ColumnType {
    /// The Arrow type; list children are called `element` and may be null, as in Delta.
    pub fn data_type(&self) -> DataType {
        match self {
            ColumnType::Int64 => DataType::Int64,
            ColumnType::Int32 => DataType::Int32,
            ColumnType::Float64 => DataType::Float64,
            ColumnType::Float32 => DataType::Float32,
            ColumnType::Boolean => DataType::Boolean,
            ColumnType::Utf8 => DataType::Utf8,
            ColumnType::List(inner) => list_of(inner.data_type()),
        }
    }
}

/// An Arrow list type whose child is called `element` and may be null.
pub fn list_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("element", element, true)))
}

/// One column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Name in the table.
    pub name: &'static str,
    /// Type.
    pub column_type: ColumnType,
    /// False where every row must have a value.
    pub nullable: bool,
    /// What it holds, in one sentence.
    pub meaning: &'static str,
}

/// The tables that meed writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// One row per rollout.
    Rollouts,
    /// One row per judgement.
    Scores,
    /// One row per node of a group's tree.
    Nodes,
    /// One row per edge of a group's graph.
    Edges,
    /// One row per rollout and recipe.
    Advantages,
    /// One row per optimiser step.
    Updates,
}

impl Table {
    /// All tables.
    pub const ALL: [Table; 6] =
        [Table::Rollouts, Table::Scores, Table::Nodes, Table::Edges, Table::Advantages, Table::Updates];

    /// Its name: `rollouts`, `scores`, ...
    pub fn name(&self) -> &'static str {
        match self {
            Table::Rollouts => "rollouts",
            Table::Scores => "scores",
            Table::Nodes => "nodes",
            Table::Edges => "edges",
            Table::Advantages => "advantages",
            Table::Updates => "updates",
        }
    }

    /// Its columns, in order.
    pub fn columns(&self) -> &'static [Column] {
        match self {
            Table::Rollouts => ROLLOUTS,
            Table::Scores => SCORES,
            Table::Nodes => NODES,
            Table::Edges => EDGES,
            Table::Advantages => ADVANTAGES,
            Table::Updates => UPDATES,
        }
    }

    /// Its Arrow schema with all defined columns.
    ///
    /// ```
    /// use meed_operators::columns::Table;
    /// assert!(Table::Rollouts.schema().field_with_name("token_mask").is_ok());
    /// ```
    pub fn schema(&self) -> SchemaRef {
        let fields: Vec<Field> = self
            .columns()
            .iter()
            .map(|column| Field::new(column.name, column.column_type.data_type(), column.nullable))
            .collect();
        Arc::new(Schema::new(fields))
    }

    /// The definition of one of its columns.
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns().iter().find(|column| column.name == name)
    }
}

/// True for the step kinds that the environment produces: `environment`, `observation`, `user` and
/// `system`. Every other kind is the policy's.
pub fn is_environment_kind(kind: &str) -> bool {
    matches!(kind, "environment" | "observation" | "user" | "system")
}
