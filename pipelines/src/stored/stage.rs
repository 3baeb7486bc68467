//! The stage that assigns credit to units, and the observer of batch statistics before it.

use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use meed_operators::columns::Table;
use meed_operators::credit::Unit;
use meed_operators::engine::{Observer, Stage, rows_of};
use meed_operators::{Error, Result};

use super::summary::Summary;
use crate::ready::{Known, Ready, Seen};

/// Tokens that are assigned at a time: signals of that length stay in the processor's caches, and
/// their memory is used again for the next.
pub(crate) const PIECE_TOKENS: usize = 32 << 10;

/// Assigns the credit of every recipe to one unit after another.
pub(super) struct AssignStage {
    pub ready: Arc<Vec<Ready>>,
    pub known: Arc<Vec<Known>>,
    pub summaries: Arc<Mutex<Vec<Summary>>>,
    /// True where rows of trees are kept, and all rows are marked with their table.
    pub beside: bool,
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
    fn assign(&self, plain: &Unit, rows: &mut Vec<RecordBatch>) -> Result<()> {
        for (index, (ready, known)) in self.ready.iter().zip(self.known.iter()).enumerate() {
            let widened;
            let unit = if ready.adds_nothing() {
                plain
            } else {
                widened = ready.unit(plain.batch(), known)?;
                &widened
            };
            let (evaluated, assigned) = ready.assign(unit, known)?;
            let Some(assigned) = assigned else { continue };
            let beside = if self.beside { ready.rows_beside(unit)? } else { Vec::new() };
            if let Ok(mut summaries) = self.summaries.lock()
                && let Some(summary) = summaries.get_mut(index)
            {
                summary.add(unit, &assigned, &evaluated.reasons);
                beside.iter().for_each(|rows| summary.add_beside(rows));
            }
            rows.push(if self.beside { rows_of(Table::Advantages, &assigned)? } else { assigned });
            rows.extend(beside);
        }
        Ok(())
    }
}

/// Adds units to the batch statistics of one pass, for every recipe that has that many.
pub(super) struct ObserveStage {
    pub ready: Arc<Vec<Ready>>,
    pub known: Arc<Vec<Known>>,
    pub pass: usize,
    pub seen: Vec<Seen>,
}

impl Observer for ObserveStage {
    fn observe(&mut self, unit: RecordBatch) -> Result<()> {
        for (index, ready) in self.ready.iter().enumerate() {
            if ready.passes() > self.pass {
                ready.observe(self.pass, &unit, &self.known[index], &mut self.seen[index])?;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        postcard::to_stdvec(&self.seen).map_err(|error| Error::external("encode batch statistics", error, ""))
    }
}

/// Merges what all workers have seen in a pass.
pub(super) fn merged(parts: &[Vec<u8>], recipes: usize) -> Result<Vec<Seen>> {
    let mut merged: Vec<Seen> = vec![Seen::default(); recipes];
    for part in parts {
        let seen: Vec<Seen> = postcard::from_bytes(part)
            .map_err(|error| Error::external("decode batch statistics", error, ""))?;
        for (whole, seen) in merged.iter_mut().zip(seen) {
            whole.merge(seen);
        }
    }
    Ok(merged)
}
