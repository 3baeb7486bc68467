//! The key of a group, (`iteration`, `group_id`), in every row of a batch.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::{cast, partition};
use arrow::datatypes::{DataType, Int64Type};

use crate::{Error, Place, Result};

/// The columns that name a group.
pub const KEY_COLUMNS: [&str; 2] = ["iteration", "group_id"];

/// The group keys of a batch.
pub(super) struct Keys {
    iterations: Int64Array,
    groups: StringArray,
}

impl Keys {
    /// The keys of `rows`; an error if a key column is absent, of a wrong type or has nulls.
    pub(super) fn of(rows: &RecordBatch) -> Result<Keys> {
        let iterations = key_column(rows, KEY_COLUMNS[0], DataType::Int64)?;
        let groups = key_column(rows, KEY_COLUMNS[1], DataType::Utf8)?;
        Ok(Keys {
            iterations: iterations.as_primitive::<Int64Type>().clone(),
            groups: groups.as_string::<i32>().clone(),
        })
    }

    /// The group of a row.
    pub(super) fn at(&self, row: usize) -> (i64, &str) {
        (self.iterations.value(row), self.groups.value(row))
    }

    /// Maximal ranges of neighbouring rows of one group, in order.
    pub(super) fn runs(&self) -> Result<Vec<Range<usize>>> {
        let columns: [ArrayRef; 2] = [Arc::new(self.iterations.clone()), Arc::new(self.groups.clone())];
        Ok(partition(&columns)?.ranges())
    }
}

fn key_column(rows: &RecordBatch, name: &str, wanted: DataType) -> Result<ArrayRef> {
    let place = || Place::default().column(name);
    let Some(column) = rows.column_by_name(name) else {
        return Err(Error::data(
            place(),
            "the column is missing, and it names the group of every row",
            "read it along with the other columns",
        ));
    };
    let compatible = match wanted {
        DataType::Utf8 => {
            matches!(column.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
        }
        _ => column.data_type().is_integer(),
    };
    if !compatible {
        return Err(Error::data(
            place(),
            format!("the type is {} and not {wanted}", column.data_type()),
            "convert the column when the data is imported",
        ));
    }
    let column = cast(column, &wanted)?;
    if let Some(row) = (0..column.len()).find(|row| column.null_count() > 0 && column.is_null(*row)) {
        return Err(Error::data(
            place().row(row as u64),
            "the value is null, so the row belongs to no group",
            "import the data again, or filter such rows out",
        ));
    }
    Ok(column)
}
