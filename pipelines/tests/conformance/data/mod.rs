//! Rollouts with any columns that recipes read: the same values for the same rollout, whatever else is drawn.
#![allow(dead_code, unused_imports)]

mod cells;
mod columns;
mod draw;
pub mod shapes;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use meed_pipelines::inputs::ColumnInfo;

pub use draw::Draw;
pub use shapes::{Shape, Step};

/// A batch of rollouts with the keys, `token_mask` and the columns asked for.
///
/// # Errors
/// A column that nothing here can generate, by name.
pub fn batch(shapes: &[Shape], columns: &[ColumnInfo]) -> Result<RecordBatch, String> {
    let mut wanted: Vec<ColumnInfo> = ["iteration", "group_id", "rollout_id", "status", "token_mask"]
        .iter()
        .map(|name| ColumnInfo::find(name, &[]))
        .collect();
    wanted.extend(columns.iter().cloned());
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for known in &mut wanted {
        if let Some(data_type) = columns::data_type(&known.column) {
            known.data_type = data_type;
        }
    }
    for known in &wanted {
        let values = columns::values(known, &wanted, shapes)?;
        let array = cells::array(&values, &known.data_type)
            .map_err(|error| format!("column {}: {error}", known.column))?;
        fields.push(Field::new(&known.column, known.data_type.clone(), true));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|error| error.to_string())
}
