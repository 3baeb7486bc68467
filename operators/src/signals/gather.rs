//! Operators that need a whole iteration: what they gather from each unit, and what they add once they
//! know it.

use std::collections::BTreeMap;

use arrow::array::ArrayRef;
use arrow::datatypes::Field;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::credit::{Credit, Evaluated, Unit};

/// Numbers by group and rollout. An empty rollout stands for the whole group, and an empty group beside
/// it for the whole iteration.
pub type Rows = BTreeMap<(String, String), Vec<f64>>;

/// The key of what is known of a whole iteration.
pub fn whole_iteration() -> (String, String) {
    (String::new(), String::new())
}

/// What the units of a pass told, by iteration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Told {
    iterations: BTreeMap<i64, Rows>,
}

impl Told {
    /// Tells something of a rollout, or of a group where `rollout` is empty. Told twice is told once: a
    /// group is seen by one worker, and not twice in a pass.
    pub fn tell(&mut self, iteration: i64, group: &str, rollout: &str, numbers: Vec<f64>) {
        let rows = self.iterations.entry(iteration).or_default();
        rows.insert((group.to_owned(), rollout.to_owned()), numbers);
    }

    /// Adds what another worker was told.
    pub fn merge(&mut self, other: Told) {
        for (iteration, rows) in other.iterations {
            self.iterations.entry(iteration).or_default().extend(rows);
        }
    }
}

/// What is known of every iteration, by pass.
#[derive(Debug, Clone, Default)]
pub struct Known {
    passes: Vec<BTreeMap<i64, Rows>>,
}

impl Known {
    /// What a pass concluded about an iteration.
    pub fn of(&self, pass: usize, iteration: i64) -> Option<&Rows> {
        self.passes.get(pass)?.get(&iteration)
    }

    /// The numbers that a pass concluded about a whole iteration; empty where it knows none.
    pub fn whole(&self, pass: usize, iteration: i64) -> &[f64] {
        let rows = self.of(pass, iteration);
        rows.and_then(|rows| rows.get(&whole_iteration())).map_or(&[], Vec::as_slice)
    }

    /// Adds what one more pass tells, concluded by the operator.
    ///
    /// # Errors
    /// See [`GatherSignals::conclude`].
    pub fn conclude(&mut self, operator: &dyn GatherSignals, told: Told) -> Result<()> {
        let mut concluded = BTreeMap::new();
        for (iteration, rows) in told.iterations {
            concluded.insert(iteration, operator.conclude(iteration, rows, self)?);
        }
        self.passes.push(concluded);
        Ok(())
    }

    /// Number of passes that are concluded.
    pub fn passes(&self) -> usize {
        self.passes.len()
    }
}

/// Adds columns that depend on the whole iteration.
///
/// Every unit is seen once per pass, in any order and by any worker; what it tells is keyed, and a pass
/// is concluded from all of it in the order of the keys. So the result does not depend on who saw what,
/// and only what is told is held: numbers per rollout, never the data.
pub trait GatherSignals: Send + Sync {
    /// Its name, for messages and lineage.
    fn name(&self) -> &str;

    /// Columns that it reads itself, beside those of its inputs.
    fn reads(&self) -> Vec<String> {
        Vec::new()
    }

    /// Named expressions that it needs, which look no further than a group.
    fn inputs(&self) -> Credit;

    /// Columns that it adds.
    fn adds(&self) -> Vec<Field>;

    /// Number of passes over the iteration before it can add them.
    fn passes(&self) -> usize {
        1
    }

    /// What a unit tells in the pass after those that are known.
    ///
    /// # Errors
    /// Data that the operator cannot use, with its place.
    fn observe(&self, unit: &Unit, inputs: &Evaluated, known: &Known, told: &mut Told) -> Result<()>;

    /// What all units of an iteration told, concluded; `known` holds the passes before.
    ///
    /// # Errors
    /// Numbers that contradict each other.
    fn conclude(&self, iteration: i64, rows: Rows, known: &Known) -> Result<Rows>;

    /// The added columns, one array per field of [`GatherSignals::adds`], a value per row of the unit.
    ///
    /// # Errors
    /// Data that the operator cannot use, with its place.
    fn apply(&self, unit: &Unit, inputs: &Evaluated, known: &Known) -> Result<Vec<ArrayRef>>;
}
