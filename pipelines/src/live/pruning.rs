//! Lets go of checkpoints that no restart can need, after each commit.

use std::ops::RangeInclusive;
use std::sync::Arc;

use meed_operators::Result;
use meed_operators::engine::{Committer, EpochWriter, Receipt, Sink};

use super::checkpoints::Checkpoints;
use super::policies::version_of;

/// A sink whose commits say which checkpoints are old.
pub(super) struct Pruning {
    pub(super) sink: Arc<dyn Sink>,
    pub(super) checkpoints: Checkpoints,
    pub(super) staleness: u64,
}

impl Sink for Pruning {
    fn uri(&self) -> &str {
        self.sink.uri()
    }

    fn writer(&self, worker: usize) -> Result<Box<dyn EpochWriter>> {
        self.sink.writer(worker)
    }

    fn committer(&self) -> Result<Box<dyn Committer>> {
        let committer = self.sink.committer()?;
        Ok(Box::new(Pruned { committer, checkpoints: self.checkpoints.clone(), staleness: self.staleness }))
    }
}

struct Pruned {
    committer: Box<dyn Committer>,
    checkpoints: Checkpoints,
    staleness: u64,
}

impl Committer for Pruned {
    fn resume_at(&mut self) -> Result<u64> {
        self.committer.resume_at()
    }

    fn commit(&mut self, epochs: RangeInclusive<u64>, receipts: Vec<Receipt>) -> Result<()> {
        let next = *epochs.end() + 1;
        self.committer.commit(epochs, receipts)?;
        self.checkpoints.forget_below(version_of(next, self.staleness))
    }

    fn finish(&mut self) -> Result<()> {
        self.committer.finish()
    }
}
