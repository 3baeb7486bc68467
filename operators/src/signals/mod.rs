//! Operators that add signals to whole groups, where no expression can.

mod attention;
mod prefix_tree;
mod probes;
mod state_groups;

pub use attention::{AttentionFlow, AttentionInfluence, AttentionLookBack};
pub use prefix_tree::PrefixTree;
pub use probes::Probes;
pub use state_groups::StateGroups;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use std::sync::Arc;

use crate::credit::{Unit, provider};
use crate::{Error, Result};

/// Adds columns to the rows of whole groups. What it reads and adds is declared, keys never change.
pub trait AddSignals: Send + Sync {
    /// Its name, for messages and lineage.
    fn name(&self) -> &str;

    /// Columns that it needs.
    fn reads(&self) -> Vec<String>;

    /// Columns that it adds.
    fn adds(&self) -> Vec<Field>;

    /// The added columns, one array per field of [`AddSignals::adds`], a value per row of the unit.
    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>>;

    /// True where the data already has what it would add, as where a judge stored it, so that the operator is
    /// left out. Most operators are always applied.
    fn given(&self, _schema: &Schema) -> bool {
        false
    }

    /// Checks that the data has what the operator reads.
    ///
    /// # Errors
    /// [`Error::MissingSignal`], with what would provide the column.
    fn check(&self, recipe: &str, schema: &Schema) -> Result<()> {
        for name in self.reads() {
            if schema.field_with_name(&name).is_err() {
                return Err(Error::MissingSignal {
                    recipe: recipe.to_owned(),
                    hint: provider(&name).to_owned(),
                    signal: name,
                });
            }
        }
        Ok(())
    }
}

/// True where the data has every column that the operator adds.
fn is_given(operator: &dyn AddSignals, schema: &Schema) -> bool {
    operator.adds().iter().all(|field| schema.column_with_name(field.name()).is_some())
}

/// The unit with the columns of every operator added, in order.
pub fn add_signals(operators: &[Arc<dyn AddSignals>], mut unit: Unit) -> Result<Unit> {
    for operator in operators {
        let added = operator.apply(&unit)?;
        let batch = unit.batch();
        let mut fields: Vec<Arc<Field>> = batch.schema().fields().iter().cloned().collect();
        let mut columns = batch.columns().to_vec();
        for (field, column) in operator.adds().into_iter().zip(added) {
            fields.push(Arc::new(field));
            columns.push(column);
        }
        unit = Unit::new(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)?;
    }
    Ok(unit)
}
