//! Rows of a run kept in memory: for queries, tests and notebooks.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use meed_operators::Result;
use meed_operators::engine::{Committer, EpochWriter, Receipt, Sink};

/// A sink that keeps the committed rows; copies share them. For runs of one process.
#[derive(Debug, Clone, Default)]
pub struct MemorySink(Arc<Mutex<Rows>>);

#[derive(Debug, Default)]
struct Rows {
    written: BTreeMap<u64, Vec<RecordBatch>>,
    committed: Vec<RecordBatch>,
}

impl MemorySink {
    /// The committed rows, in order of epochs.
    pub fn rows(&self) -> Vec<RecordBatch> {
        self.lock().committed.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for MemorySink {
    fn uri(&self) -> &str {
        "memory"
    }

    fn writer(&self, _worker: usize) -> Result<Box<dyn EpochWriter>> {
        Ok(Box::new(self.clone()))
    }

    fn committer(&self) -> Result<Box<dyn Committer>> {
        Ok(Box::new(self.clone()))
    }
}

impl EpochWriter for MemorySink {
    fn write(&mut self, epoch: u64, batch: RecordBatch) -> Result<()> {
        self.lock().written.entry(epoch).or_default().push(batch);
        Ok(())
    }

    fn close(&mut self, _epoch: u64) -> Result<Vec<Receipt>> {
        Ok(Vec::new())
    }
}

impl Committer for MemorySink {
    fn resume_at(&mut self) -> Result<u64> {
        Ok(0)
    }

    fn commit(&mut self, epochs: RangeInclusive<u64>, _receipts: Vec<Receipt>) -> Result<()> {
        let mut rows = self.lock();
        for epoch in epochs {
            let written = rows.written.remove(&epoch).unwrap_or_default();
            rows.committed.extend(written);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}
