//! A batch with columns replaced or added.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};

use crate::Result;

/// The batch with these columns in the place of those of the same name, or appended where it has none; what
/// the schema says besides its fields stays.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, Int64Array, RecordBatch};
/// use arrow::datatypes::{DataType, Field};
/// use meed_operators::columns::with_columns;
/// let column = |value| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
/// let batch = RecordBatch::try_from_iter([("a", column(1)), ("b", column(2))])?;
/// let field = |name| Field::new(name, DataType::Int64, true);
/// let wider = with_columns(batch, [(field("a"), column(3)), (field("c"), column(4))])?;
/// assert_eq!(wider.columns(), [column(3), column(2), column(4)]);
/// # Ok::<(), meed_operators::Error>(())
/// ```
///
/// # Errors
/// A column of another length, or with nulls where its field allows none.
pub fn with_columns(
    batch: RecordBatch,
    columns: impl IntoIterator<Item = (Field, ArrayRef)>,
) -> Result<RecordBatch> {
    let schema = batch.schema();
    let mut fields = schema.fields().to_vec();
    let mut all = batch.columns().to_vec();
    for (field, column) in columns {
        match fields.iter().position(|known| known.name() == field.name()) {
            Some(index) => (fields[index], all[index]) = (Arc::new(field), column),
            None => {
                fields.push(Arc::new(field));
                all.push(column);
            }
        }
    }
    let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
    Ok(RecordBatch::try_new(Arc::new(schema), all)?)
}
