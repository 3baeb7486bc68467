//! Passes over the whole source that only look: statistics that a later pass needs.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::options::Progress;
use super::scan::{Found, Scan, scan};
use super::{RunOptions, Session, Source, execute};
use crate::Result;

/// Sees every unit of the source that one worker reads; a unit is one or more whole groups.
pub trait Observer: Send {
    /// Takes in a unit.
    fn observe(&mut self, unit: RecordBatch) -> Result<()>;

    /// What this worker found, as bytes that the partials of other workers can be combined with.
    fn finish(&mut self) -> Result<Vec<u8>>;
}

/// Makes the observer of a worker, by its index over all processes.
pub type MakeObserver = Arc<dyn Fn(usize) -> Result<Box<dyn Observer>> + Send + Sync>;

impl Session {
    /// Shows every unit of the source to exactly one worker's observer, and returns the partials of
    /// all workers of all processes, by index: the same list everywhere.
    ///
    /// Which worker sees which unit depends on the number of workers, so the combination of the
    /// partials must not. `columns` must name `iteration` and `group_id`. Every worker receives all
    /// partials, so they should be small beside the data.
    ///
    /// # Errors
    /// The fault that ended the run, with operator (`read` or `gather`) and slice.
    pub fn gather(
        &mut self,
        source: &Arc<dyn Source>,
        columns: &[String],
        make: &MakeObserver,
    ) -> Result<Vec<Vec<u8>>> {
        let mut observer = make(self.index())?;
        let faults = self.faults().clone();
        let plan = Scan {
            source: source.clone(),
            columns: columns.to_vec(),
            start: 0,
            read_ahead_bytes: self.options().read_ahead_bytes,
        };
        let (total_rows, total_slices) = (source.rows(), source.slices());
        let (worker, report) = (self.index(), self.options().progress.clone());
        let tell = move |rows: u64, slices: u64| {
            if let Some(report) = &report {
                report(Progress { worker, gathering: true, rows, total_rows, slices, total_slices });
            }
        };
        let partial: Rc<RefCell<Option<Vec<u8>>>> = Rc::default();
        let found_by_observer = partial.clone();
        self.worker().dataflow::<u64, _, _>(|scope| {
            let guard = faults.clone();
            scan(scope, &faults, plan, move |found, capability, _output| {
                match found {
                    Found::Unit(slice, unit) => {
                        let rows = unit.num_rows() as u64;
                        guard.attempt_at("gather", slice, || observer.observe(unit))?;
                        tell(rows, 0);
                    }
                    Found::SliceEnd(_) => tell(0, 1),
                    Found::End => {
                        let finish = || observer.finish();
                        let bytes = guard.attempt_at("gather", *capability.time(), finish)?;
                        *found_by_observer.borrow_mut() = Some(bytes);
                    }
                }
                Ok(())
            });
        });
        self.complete()?;
        let mine = partial.take().unwrap_or_default();
        self.share(&mine)
    }
}

/// One [`Session::gather`] as a run of its own.
///
/// # Errors
/// See [`execute`] and [`Session::gather`].
pub fn gather(
    source: Arc<dyn Source>,
    columns: Vec<String>,
    make: MakeObserver,
    options: &RunOptions,
) -> Result<Vec<Vec<u8>>> {
    let workers = execute(options, move |session| session.gather(&source, &columns, &make))?;
    Ok(workers.into_iter().next().unwrap_or_default())
}
