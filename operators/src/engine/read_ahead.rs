//! Reads slices in order, in the worker itself or ahead of it on a thread of its own.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use arrow::array::RecordBatch;
use timely::scheduling::SyncActivator;

use super::faults::{lock, panic_message};
use super::sizes::bytes_of_rows;
use super::{Batches, Source};
use crate::{Error, Result};

/// What reading brings next.
pub(super) enum Read {
    /// Rows of a slice.
    Rows(RecordBatch),
    /// The slice has no more rows.
    End,
    /// Reading ahead has nothing yet; the operator is woken when it has.
    Wait,
}

/// The slices that one worker reads, in order.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) source: Arc<dyn Source>,
    pub(super) columns: Vec<String>,
    pub(super) slices: Vec<u64>,
}

/// Reads the slices of a plan one after another.
pub(super) enum Reader {
    /// In the worker's own thread.
    Here { plan: Plan, next: usize, open: Option<Batches> },
    /// On another thread.
    Ahead(Arc<Shelf>),
}

impl Reader {
    /// Reads up to `bytes` ahead of the worker, plus one batch; with 0 in the worker itself.
    pub(super) fn new(plan: Plan, bytes: usize, wake: SyncActivator) -> Result<Reader> {
        if bytes == 0 || plan.slices.is_empty() {
            return Ok(Reader::Here { plan, next: 0, open: None });
        }
        let shelf = Arc::new(Shelf::new(bytes));
        let filled = shelf.clone();
        std::thread::Builder::new()
            .name("meed:read".to_owned())
            .spawn(move || fill(&filled, &plan, &wake))
            .map_err(|error| Error::external("starting a thread to read", error, ""))?;
        Ok(Reader::Ahead(shelf))
    }

    /// The next rows of the current slice, or its end, after which the next slice is current.
    pub(super) fn next(&mut self) -> Result<Read> {
        match self {
            Reader::Here { plan, next, open } => {
                let mut batches = match open.take() {
                    Some(batches) => batches,
                    None => plan.source.read(plan.slices[*next], &plan.columns)?,
                };
                match batches.next().transpose()? {
                    Some(rows) => {
                        *open = Some(batches);
                        Ok(Read::Rows(rows))
                    }
                    None => {
                        *next += 1;
                        Ok(Read::End)
                    }
                }
            }
            Reader::Ahead(shelf) => shelf.take().unwrap_or(Ok(Read::Wait)),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Reader::Ahead(shelf) = self {
            shelf.close();
        }
    }
}

/// A queue between a thread that reads and a worker, bounded in bytes.
pub(super) struct Shelf {
    bytes: usize,
    state: Mutex<State>,
    room: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<(Result<Read>, usize)>,
    held: usize,
    closed: bool,
}

impl Shelf {
    fn new(bytes: usize) -> Self {
        Shelf { bytes, state: Mutex::default(), room: Condvar::new() }
    }

    /// Puts an item on the shelf when there is room; false when nobody takes any more.
    fn put(&self, item: Result<Read>) -> bool {
        let bytes = match &item {
            Ok(Read::Rows(rows)) => bytes_of_rows(rows, 0, rows.num_rows()),
            _ => 0,
        };
        let mut state = lock(&self.state);
        while state.held >= self.bytes && !state.closed {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.held += bytes;
        state.queue.push_back((item, bytes));
        !state.closed
    }

    fn take(&self) -> Option<Result<Read>> {
        let mut state = lock(&self.state);
        let (item, bytes) = state.queue.pop_front()?;
        state.held -= bytes;
        self.room.notify_one();
        Some(item)
    }

    fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        state.queue.clear();
        self.room.notify_all();
    }
}

/// Reads the whole plan onto the shelf, until the end, an error, or a closed shelf.
fn fill(shelf: &Shelf, plan: &Plan, wake: &SyncActivator) {
    let put = |item| {
        let wanted = shelf.put(item);
        // Without a worker nobody waits any more.
        let _gone = wake.activate();
        wanted
    };
    let read = || -> Result<()> {
        for slice in &plan.slices {
            for rows in plan.source.read(*slice, &plan.columns)? {
                if !put(Ok(Read::Rows(rows?))) {
                    return Ok(());
                }
            }
            if !put(Ok(Read::End)) {
                return Ok(());
            }
        }
        Ok(())
    };
    let failure = match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error,
        Err(panic) => Error::external(
            format!("reading {}", plan.source.uri()),
            format!("panicked: {}", panic_message(&*panic)),
            "this is a defect of the source",
        ),
    };
    put(Err(failure));
}
