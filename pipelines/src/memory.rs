//! Credit for rollouts in memory, without a dataflow: for notebooks, tests and SQL functions.

use arrow::array::RecordBatch;
use meed_operators::Result;
use meed_operators::columns::{OnError, Table, accept, complete};
use meed_operators::credit::{Evaluated, Unit};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ready::{Known, Seen};
use crate::recipe::Recipe;

/// What a recipe gave for rollouts in memory.
pub struct InMemory {
    /// The rollouts, in canonical order, with the signals that operators added.
    pub unit: Unit,
    /// The recipe's named signals.
    pub evaluated: Evaluated,
    /// Rows of the advantages table; `None` for a recipe that gives no advantage.
    pub rows: Option<RecordBatch>,
    /// Tables of which [`rows_beside`](crate::ready::rows_beside) gives rows.
    pub tables: Vec<Table>,
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
        self.in_memory_after(&mut Earlier::default(), settings, rollouts)
    }

    /// The same where earlier iterations were assigned before, of which statistics over the history are
    /// kept in `earlier`.
    ///
    /// # Errors
    /// See [`Recipe::in_memory`].
    pub fn in_memory_after(
        &self,
        earlier: &mut Earlier,
        settings: &[(String, Value)],
        rollouts: RecordBatch,
    ) -> Result<InMemory> {
        let (rollouts, _) = accept(complete(rollouts, "memory")?, "memory", 0, OnError::Fail)?;
        let ready = self.ready(settings, &rollouts.schema())?;
        earlier.passes.resize_with(ready.passes(), Seen::default);
        let mut known = Known::default();
        for (pass, earlier) in earlier.passes.iter_mut().enumerate() {
            let mut seen = Seen::default();
            ready.observe(pass, &rollouts, &known, &mut seen)?;
            earlier.merge(ready.of_history(&seen));
            // The history of this pass has the iteration already.
            seen.with_history(earlier.clone());
            ready.conclude(pass, seen, &mut known)?;
        }
        let unit = ready.unit(&rollouts, &known)?;
        let (evaluated, rows) = ready.assign(&unit, &known)?;
        Ok(InMemory { unit, evaluated, rows, tables: ready.tables().to_vec() })
    }
}

/// What statistics over the history have counted in the iterations before, by pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Earlier {
    passes: Vec<Seen>,
}
