//! Rows of the `updates` table.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use meed_operators::Result;
use meed_operators::columns::Table;

/// One optimiser step, or an epoch without one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UpdateRow {
    /// The iteration.
    pub iteration: i64,
    /// Number of the optimiser step in the run, from 0; that of the next one where there was none.
    pub step: i64,
    /// The recipe that gave the advantages.
    pub recipe: String,
    /// What was minimised.
    pub objective: String,
    /// Its value.
    pub loss: Option<f64>,
    /// Parts of the loss and metrics, by name; those that have a column of their own go there.
    pub parts: BTreeMap<String, f64>,
    /// Mean entropy of the trained tokens.
    pub entropy: Option<f64>,
    /// Norm of the gradient before clipping.
    pub grad_norm: Option<f64>,
    /// Learning rate.
    pub learning_rate: Option<f64>,
    /// Mean reward of the iteration.
    pub reward_mean: Option<f64>,
    /// Population standard deviation of the rewards of the iteration.
    pub reward_std: Option<f64>,
    /// Groups of the iteration whose rewards are all equal.
    pub zero_variance_groups: i64,
    /// Tokens that were trained on.
    pub tokens: i64,
    /// Wall time of the step, in milliseconds. Not reproducible, of course.
    pub wall_ms: f64,
}

/// Rows of the table.
///
/// # Errors
/// None in practice: the columns are those of the table.
pub fn update_rows(rows: &[UpdateRow]) -> Result<RecordBatch> {
    let integers = |of: &dyn Fn(&UpdateRow) -> i64| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(of(row))).collect::<Int64Array>())
    };
    let numbers = |of: &dyn Fn(&UpdateRow) -> Option<f64>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<Float64Array>())
    };
    let texts = |of: &dyn Fn(&UpdateRow) -> String| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(of(row))).collect::<StringArray>())
    };
    let schema = Table::Updates.schema();
    let columns = schema.fields().iter().map(|field| match field.name().as_str() {
        "iteration" => integers(&|row| row.iteration),
        "step" => integers(&|row| row.step),
        "recipe" => texts(&|row| row.recipe.clone()),
        "objective" => texts(&|row| row.objective.clone()),
        "loss" => numbers(&|row| row.loss),
        "entropy" => numbers(&|row| row.entropy),
        "grad_norm" => numbers(&|row| row.grad_norm),
        "learning_rate" => numbers(&|row| row.learning_rate),
        "reward_mean" => numbers(&|row| row.reward_mean),
        "reward_std" => numbers(&|row| row.reward_std),
        "zero_variance_groups" => integers(&|row| row.zero_variance_groups),
        "tokens" => integers(&|row| row.tokens),
        "wall_ms" => numbers(&|row| Some(row.wall_ms)),
        "metrics" => texts(&|row| metrics(row)),
        part => numbers(&|row| row.parts.get(part).copied()),
    });
    let columns: Vec<ArrayRef> = columns.collect();
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// The parts that have no column, as JSON.
fn metrics(row: &UpdateRow) -> String {
    let rest = row.parts.iter().filter(|(name, _)| Table::Updates.column(name).is_none());
    serde_json::Value::Object(rest.map(|(name, value)| (name.clone(), (*value).into())).collect()).to_string()
}
