//! The stored pipeline: slices in, one stage, files out, commits in order.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;

use super::commit::{Schedule, commit, written};
use super::options::Progress;
use super::scan::{Found, Scan, scan};
use super::sizes::bytes_of_rows;
use super::{Batch, EpochWriter, Faults, RunOptions, Session, Sink, Source, execute};
use crate::Result;

/// Turns whole groups into output rows; one per worker.
pub trait Stage: Send {
    /// The operator's name in faults.
    fn name(&self) -> &str;

    /// Output rows of a unit, which is one or more whole groups of the slice `epoch`.
    ///
    /// Where units begin and end depends on the batches of the source, so the rows of a group must
    /// depend on that group alone.
    fn apply(&mut self, epoch: u64, unit: RecordBatch) -> Result<Vec<RecordBatch>>;
}

/// Makes the stage of a worker, by its index over all processes.
pub type MakeStage = Arc<dyn Fn(usize) -> Result<Box<dyn Stage>> + Send + Sync>;

/// A source, what to do with its groups, and where to put the result.
#[derive(Clone)]
pub struct StoredRun {
    /// What to read.
    pub source: Arc<dyn Source>,
    /// The columns to read; `iteration` and `group_id` among them.
    pub columns: Vec<String>,
    /// What to do.
    pub stage: MakeStage,
    /// Where to write.
    pub sink: Arc<dyn Sink>,
}

/// What a stored run did: totals over all workers of all processes, the same in all of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunReport {
    /// Rows read.
    pub rows_in: u64,
    /// Rows written.
    pub rows_out: u64,
    /// Epochs processed.
    pub epochs: u64,
    /// Epochs that an earlier attempt had committed.
    pub skipped: u64,
    /// Commits made.
    pub commits: u64,
    /// Wall-clock time in this worker.
    pub seconds: f64,
}

impl Session {
    /// Runs a stored pipeline on all workers.
    ///
    /// Slices go to workers in turn; the stage runs where the slice is read, and nothing is
    /// exchanged but receipts. Reading a batch, applying the stage to a unit and writing its
    /// output happen in one activation of one operator, so at most one unit is in flight per
    /// worker, next to the bytes read ahead; a slow stage or store slows its reader down and
    /// nothing piles up. Worker 0 commits runs of consecutive epochs when all workers are past
    /// them. An attempt that was cut short goes on at the first epoch that was not committed.
    ///
    /// # Errors
    /// The fault that ended the run, with operator (`read`, the stage's name, `write`, `commit`)
    /// and slice. What was committed before stays committed.
    pub fn run_stored(&mut self, run: &StoredRun) -> Result<RunReport> {
        let began = Instant::now();
        let faults = self.faults().clone();
        let slices = run.source.slices();
        let (mut committer, mut resume) = (None, Vec::new());
        if self.index() == 0 {
            faults.attempt_at("commit", 0, || {
                let mut own = run.sink.committer()?;
                resume = own.resume_at()?.to_le_bytes().to_vec();
                committer = Some(own);
                Ok(())
            })?;
        }
        // All workers must agree on where to start, and only worker 0 has asked.
        let agreed = self.share(&resume)?;
        let start = number(&agreed, 0, 0).min(slices);

        let mut worker = Worker {
            stage: faults.attempt_at("stage", start, || (run.stage)(self.index()))?,
            writer: faults.attempt_at("write", start, || run.sink.writer(self.index()))?,
            written: 0,
            counts: Rc::default(),
        };
        let (counts, commits) = (worker.counts.clone(), Rc::new(Cell::new(0)));
        let tell = self.reporter(run);
        let plan = Scan {
            source: run.source.clone(),
            columns: run.columns.clone(),
            start,
            read_ahead_bytes: self.options().read_ahead_bytes,
        };
        let schedule = Schedule {
            next: start,
            end: slices,
            bytes: self.options().commit_bytes,
            interval: self.options().commit_interval,
        };
        let counted = commits.clone();
        self.worker().dataflow::<u64, _, _>(|scope| {
            let guard = faults.clone();
            let receipts = scan(scope, &faults, plan, move |found, capability, output| {
                match found {
                    Found::Unit(slice, unit) => {
                        let rows = unit.num_rows() as u64;
                        worker.unit(&guard, slice, unit)?;
                        tell(rows, 0);
                    }
                    Found::SliceEnd(slice) => {
                        let message = worker.close(&guard, slice)?;
                        output.session(capability).give_container(&mut Batch(message));
                        tell(0, 1);
                    }
                    Found::End => {}
                }
                Ok(())
            });
            commit(receipts, &faults, schedule, committer, counted);
        });
        self.complete()?;

        let (rows_in, rows_out) = counts.get();
        let mine = [rows_in, rows_out, commits.get()].map(u64::to_le_bytes).concat();
        let all = self.share(&mine)?;
        let total = |index| (0..all.len()).map(|worker| number(&all, worker, index)).sum();
        Ok(RunReport {
            rows_in: total(0),
            rows_out: total(1),
            epochs: slices - start,
            skipped: start,
            commits: total(2),
            seconds: began.elapsed().as_secs_f64(),
        })
    }

    fn reporter(&self, run: &StoredRun) -> impl Fn(u64, u64) + 'static {
        let (worker, report) = (self.index(), self.options().progress.clone());
        let (total_rows, total_slices) = (run.source.rows(), run.source.slices());
        move |rows, slices| {
            if let Some(report) = &report {
                report(Progress { worker, gathering: false, rows, total_rows, slices, total_slices });
            }
        }
    }
}

/// A number among those that a worker shared.
pub(super) fn number(shared: &[Vec<u8>], worker: usize, index: usize) -> u64 {
    let bytes = shared.get(worker).map(Vec::as_slice).unwrap_or_default();
    let word = bytes.get(index * 8..index * 8 + 8);
    let word = word.and_then(|word| word.try_into().ok());
    word.map(u64::from_le_bytes).unwrap_or_default()
}

/// One worker's stage and writer.
struct Worker {
    stage: Box<dyn Stage>,
    writer: Box<dyn EpochWriter>,
    /// Bytes of the slice at hand.
    written: u64,
    /// Rows in and out so far.
    counts: Rc<Cell<(u64, u64)>>,
}

impl Worker {
    fn unit(&mut self, faults: &Faults, epoch: u64, unit: RecordBatch) -> Result<()> {
        let (mut rows_in, mut rows_out) = self.counts.get();
        rows_in += unit.num_rows() as u64;
        let stage = &mut self.stage;
        let name = stage.name().to_owned();
        let output = faults.attempt_at(&name, epoch, || stage.apply(epoch, unit))?;
        faults.attempt_at("write", epoch, || {
            for rows in output {
                rows_out += rows.num_rows() as u64;
                self.written += bytes_of_rows(&rows, 0, rows.num_rows()) as u64;
                self.writer.write(epoch, rows)?;
            }
            Ok(())
        })?;
        self.counts.set((rows_in, rows_out));
        Ok(())
    }

    /// Ends an epoch; the answer is the message to the committer.
    fn close(&mut self, faults: &Faults, epoch: u64) -> Result<RecordBatch> {
        faults.attempt_at("write", epoch, || {
            let receipts = self.writer.close(epoch)?;
            written(&receipts, std::mem::take(&mut self.written))
        })
    }
}

/// One [`Session::run_stored`] as a run of its own.
///
/// # Errors
/// See [`execute`] and [`Session::run_stored`].
pub fn run_stored(run: StoredRun, options: &RunOptions) -> Result<RunReport> {
    let reports = execute(options, move |session| session.run_stored(&run))?;
    let first = reports.into_iter().next();
    first.ok_or_else(|| crate::Error::usage("a run needs at least one worker", ""))
}
