//! How often each prompt was solved in earlier iterations.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use serde::{Deserialize, Serialize};

use crate::{Error, Place, Result};

/// Mean reward of each prompt in the last iteration that sampled it. Part of a run's state: it can be
/// saved as JSON and recorded again from the stored rollouts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    prompts: BTreeMap<String, Outcomes>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Outcomes {
    iteration: i64,
    rollouts: u64,
    successes: f64,
}

impl History {
    /// The share of successes of a group when it was last sampled; `None` where it never was.
    /// Rewards are taken to lie in `[0, 1]`.
    pub fn success_rate(&self, group_id: &str) -> Option<f64> {
        let outcomes = self.prompts.get(group_id)?;
        Some(outcomes.successes / outcomes.rollouts as f64)
    }

    /// Takes in the rewards of a batch; rollouts without a reward do not count. Later iterations
    /// replace earlier ones, and batches of one iteration add up. Rows are to come in canonical order
    /// where rewards are not whole numbers.
    ///
    /// # Errors
    /// `Error::Data` where a key or `reward` is missing.
    pub fn record(&mut self, rollouts: &RecordBatch) -> Result<()> {
        let missing = |name: &str| Error::data(Place::default().column(name), "the column is missing", "");
        let column = |name: &str| rollouts.column_by_name(name).ok_or_else(|| missing(name));
        let iterations = column("iteration")?.as_primitive_opt::<Int64Type>();
        let groups = column("group_id")?.as_string_opt::<i32>();
        let rewards = column("reward")?.as_primitive_opt::<Float64Type>();
        let (Some(iterations), Some(groups), Some(rewards)) = (iterations, groups, rewards) else {
            return Err(Error::data(
                Place::default(),
                "a key or the reward has another type",
                "conform first",
            ));
        };
        for row in (0..rollouts.num_rows()).filter(|&row| rewards.is_valid(row)) {
            let iteration = iterations.value(row);
            let fresh = Outcomes { iteration, rollouts: 0, successes: 0.0 };
            let outcomes = self.prompts.entry(groups.value(row).to_owned()).or_insert(fresh);
            if outcomes.iteration < iteration {
                *outcomes = fresh;
            }
            if outcomes.iteration == iteration {
                outcomes.rollouts += 1;
                outcomes.successes += rewards.value(row);
            }
        }
        Ok(())
    }
}
