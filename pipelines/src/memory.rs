//! Credit for rollouts in memory, without a dataflow: for notebooks, tests and SQL functions.

use arrow::array::RecordBatch;
use meed_operators::Result;
use meed_operators::columns::{OnError, accept, complete};
use meed_operators::credit::{ADVANTAGE, BatchStatistics, Evaluated, Partial, Unit, evaluate};
use meed_operators::signals::add_signals;
use serde_json::Value;

use crate::recipe::Recipe;

/// What a recipe gave for rollouts in memory.
pub struct InMemory {
    /// The rollouts, in canonical order, with the signals that operators added.
    pub unit: Unit,
    /// The recipe's named signals.
    pub evaluated: Evaluated,
    /// Rows of the advantages table; `None` for a recipe that gives no advantage.
    pub rows: Option<RecordBatch>,
}

impl Recipe {
    /// Assigns credit to rollouts in memory. The batch is everything of its iterations.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
    /// use arrow::datatypes::Float32Type;
    ///
    /// let rollouts = RecordBatch::try_from_iter([
    ///     ("group_id", Arc::new(StringArray::from(vec!["g"; 4])) as ArrayRef),
    ///     ("rollout_id", Arc::new(StringArray::from(vec!["a", "b", "c", "d"]))),
    ///     ("reward", Arc::new(Float64Array::from(vec![1.0, 0.0, 0.0, 0.0]))),
    /// ])?;
    /// let settings = [("scale".to_owned(), "none".into())];
    /// let given = meed_pipelines::find("grpo")?.in_memory(&settings, rollouts)?;
    /// let rows = given.rows.expect("grpo gives advantages");
    /// let advantages = rows["token_advantages"].as_list::<i32>().values().as_primitive::<Float32Type>();
    /// assert_eq!(advantages.values().to_vec(), [0.75, -0.25, -0.25, -0.25]);
    /// # Ok::<(), meed_operators::Error>(())
    /// ```
    ///
    /// # Errors
    /// Rows that break an invariant, signals that are missing, and faults of the recipe.
    pub fn in_memory(&self, settings: &[(String, Value)], rollouts: RecordBatch) -> Result<InMemory> {
        let (rollouts, _) = accept(complete(rollouts, "memory")?, "memory", 0, OnError::Fail)?;
        let (assignment, plan) = self.assignment(settings, &rollouts.schema())?;
        let unit = add_signals(&plan.operators, Unit::new(rollouts)?)?;
        let mut statistics = BatchStatistics::default();
        for _ in 0..assignment.checked.passes() {
            let mut partial = Partial::default();
            partial.observe(&assignment.checked, &unit, &statistics)?;
            statistics.add(&assignment.checked, partial);
        }
        if assignment.checked.credit.get(ADVANTAGE).is_none() {
            let evaluated = evaluate(&assignment.checked, &unit, &statistics)?;
            return Ok(InMemory { unit, evaluated, rows: None });
        }
        let assigned = assignment.assign(&unit, &statistics)?;
        Ok(InMemory { unit, evaluated: assigned.evaluated, rows: Some(assigned.rows) })
    }
}
