//! Where rows go: every worker writes, one worker commits, strictly in order.

use std::ops::RangeInclusive;

use arrow::array::RecordBatch;

use crate::Result;

/// What a writer leaves behind for the committer: an opaque text, such as the JSON of a Delta
/// `add` action or the path of a part file.
pub type Receipt = String;

/// A place for the rows of one table.
///
/// Writers run in every worker of every process and make nothing visible; the one committer makes
/// whole runs of consecutive epochs visible, in order, exactly once.
pub trait Sink: Send + Sync {
    /// What to call the sink in messages and lineage.
    fn uri(&self) -> &str;

    /// A writer for one worker.
    fn writer(&self, worker: usize) -> Result<Box<dyn EpochWriter>>;

    /// The committer; asked for once per run, by worker 0 of process 0.
    fn committer(&self) -> Result<Box<dyn Committer>>;
}

/// Writes the rows of epochs, one epoch at a time.
pub trait EpochWriter: Send {
    /// Adds rows to `epoch`.
    fn write(&mut self, epoch: u64, batch: RecordBatch) -> Result<()>;

    /// Ends `epoch` and returns a receipt for every file written. An epoch without rows has none.
    fn close(&mut self, epoch: u64) -> Result<Vec<Receipt>>;
}

/// Makes written epochs visible, in order.
pub trait Committer: Send {
    /// The first epoch that earlier attempts of the same run have not committed (0 for a new run).
    fn resume_at(&mut self) -> Result<u64>;

    /// Commits a run of consecutive epochs with the receipts of all their files, in epoch order.
    fn commit(&mut self, epochs: RangeInclusive<u64>, receipts: Vec<Receipt>) -> Result<()>;

    /// Called once after the last epoch was committed.
    fn finish(&mut self) -> Result<()>;
}
