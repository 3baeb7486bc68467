//! The stage that assigns credit to units, and the observer of batch statistics before it.

use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use meed_operators::credit::{Assigned, Assignment, BatchStatistics, Partial, Unit};
use meed_operators::engine::{Observer, Stage};
use meed_operators::signals::{AddSignals, add_signals};
use meed_operators::{Error, Result};

use super::summary::Summary;

/// Tokens that are assigned at a time: signals of that length stay in the processor's caches, and
/// their memory is used again for the next.
pub(crate) const PIECE_TOKENS: usize = 32 << 10;

/// A recipe made ready for the data.
pub(crate) struct Ready {
    pub assignment: Assignment,
    pub operators: Vec<Arc<dyn AddSignals>>,
}

impl Ready {
    fn unit(&self, batch: &RecordBatch) -> Result<Unit> {
        add_signals(&self.operators, Unit::new(batch.clone())?)
    }

    /// Assigns credit to the rollouts of a unit, in its order.
    pub(crate) fn assign(&self, plain: &Unit, statistics: &BatchStatistics) -> Result<Assigned> {
        if self.operators.is_empty() {
            return self.assignment.assign(plain, statistics);
        }
        self.assignment.assign(&self.unit(plain.batch())?, statistics)
    }
}

/// Assigns the credit of every recipe to one unit after another.
pub(super) struct AssignStage {
    pub ready: Arc<Vec<Ready>>,
    pub statistics: Arc<Vec<BatchStatistics>>,
    pub summaries: Arc<Mutex<Vec<Summary>>>,
}

impl Stage for AssignStage {
    fn name(&self) -> &str {
        "assign"
    }

    fn apply(&mut self, _epoch: u64, unit: RecordBatch) -> Result<Vec<RecordBatch>> {
        let mut rows = Vec::new();
        for piece in Unit::new(unit)?.pieces(PIECE_TOKENS)? {
            self.assign(&piece, &mut rows)?;
        }
        Ok(rows)
    }
}

impl AssignStage {
    fn assign(&self, unit: &Unit, rows: &mut Vec<RecordBatch>) -> Result<()> {
        for (index, (ready, statistics)) in self.ready.iter().zip(self.statistics.iter()).enumerate() {
            let assigned = ready.assign(unit, statistics)?;
            if let Ok(mut summaries) = self.summaries.lock()
                && let Some(summary) = summaries.get_mut(index)
            {
                summary.add(unit, &assigned.rows, &assigned.evaluated.reasons);
            }
            rows.push(assigned.rows);
        }
        Ok(())
    }
}

/// Adds units to the batch statistics of one pass, for every recipe that has that many.
pub(super) struct ObserveStage {
    pub ready: Arc<Vec<Ready>>,
    pub statistics: Arc<Vec<BatchStatistics>>,
    pub pass: usize,
    pub partials: Vec<Partial>,
}

impl Observer for ObserveStage {
    fn observe(&mut self, unit: RecordBatch) -> Result<()> {
        for (index, ready) in self.ready.iter().enumerate() {
            if ready.assignment.checked.passes() > self.pass {
                let unit = ready.unit(&unit)?;
                self.partials[index].observe(&ready.assignment.checked, &unit, &self.statistics[index])?;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        serde_json::to_vec(&self.partials)
            .map_err(|error| Error::external("encode batch statistics", error, ""))
    }
}

/// Merges what all workers have seen in a pass.
pub(super) fn merged(parts: &[Vec<u8>], recipes: usize) -> Result<Vec<Partial>> {
    let mut merged: Vec<Partial> = vec![Partial::default(); recipes];
    for part in parts {
        let partials: Vec<Partial> = serde_json::from_slice(part)
            .map_err(|error| Error::external("decode batch statistics", error, ""))?;
        for (whole, partial) in merged.iter_mut().zip(partials) {
            whole.merge(partial);
        }
    }
    Ok(merged)
}
