//! The operator on worker 0 that makes complete epochs visible, strictly in order.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::UInt64Type;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::operators::generic::Operator;

use super::exchange::to_worker;
use super::{Batch, Committer, Faults, Receipt};
use crate::{Error, Result};

/// What a worker says when it has written an epoch: a row per receipt, and one row without a
/// receipt that stands for the epoch itself and carries its bytes. An epoch is committed only if
/// that row came, so that work which got lost is a fault and not an empty epoch.
pub(super) fn written(receipts: &[Receipt], bytes: u64) -> Result<RecordBatch> {
    let texts = receipts.iter().map(|text| Some(text.as_str()));
    let texts: StringArray = texts.chain([None]).collect();
    let sizes = receipts.iter().map(|_| 0).chain([bytes]);
    Ok(RecordBatch::try_from_iter([
        ("receipt", Arc::new(texts) as ArrayRef),
        ("bytes", Arc::new(UInt64Array::from_iter_values(sizes))),
    ])?)
}

/// When to commit, and what.
pub(super) struct Schedule {
    /// The first epoch to commit.
    pub(super) next: u64,
    /// The number of epochs of the run.
    pub(super) end: u64,
    /// Commit as soon as complete epochs hold so many bytes.
    pub(super) bytes: u64,
    /// Commit complete epochs after so long.
    pub(super) interval: Duration,
}

/// Adds the operator. Every worker builds it; only the one that has the committer commits.
///
/// Commits are blocking calls on that worker: its share of the slices waits meanwhile, the other
/// workers go on. There is never more than one in flight. `commits` counts them.
pub(super) fn commit<'scope>(
    stream: Stream<'scope, u64, Batch>,
    faults: &Faults,
    schedule: Schedule,
    committer: Option<Box<dyn Committer>>,
    commits: Rc<Cell<u64>>,
) {
    let faults = faults.clone();
    let scope = stream.scope();
    stream.unary_frontier::<CapacityContainerBuilder<Batch>, _, _, _>(
        to_worker(0),
        "commit",
        move |_capability, info| {
            let activator = scope.activator_for(info.address);
            let mut pending = committer.map(|committer| Pending {
                committer,
                commits,
                epochs: BTreeMap::new(),
                last: Instant::now(),
                schedule,
            });
            move |(input, frontier), _output| {
                let mut arrived = Vec::new();
                input.for_each(|time, batch| {
                    arrived.push((*time.time(), std::mem::take(batch).0));
                });
                let Some(work) = &mut pending else { return };
                if faults.raised() {
                    return;
                }
                for (epoch, rows) in arrived {
                    faults.attempt("commit", epoch, || work.arrive(epoch, &rows));
                }
                let complete = match frontier.frontier().first() {
                    Some(epoch) => *epoch,
                    None => u64::MAX,
                };
                let epoch = work.schedule.next;
                match faults.attempt("commit", epoch, || work.advance(complete)) {
                    Some(Next::Wait) | None => {}
                    Some(Next::Within(time)) => activator.activate_after(time),
                    Some(Next::Done) => pending = None,
                }
            }
        },
    );
}

enum Next {
    Wait,
    Within(Duration),
    Done,
}

#[derive(Default)]
struct Epoch {
    receipts: Vec<Receipt>,
    /// Set by the row that stands for the epoch.
    bytes: Option<u64>,
}

struct Pending {
    committer: Box<dyn Committer>,
    commits: Rc<Cell<u64>>,
    epochs: BTreeMap<u64, Epoch>,
    last: Instant,
    schedule: Schedule,
}

impl Pending {
    fn arrive(&mut self, epoch: u64, rows: &RecordBatch) -> Result<()> {
        let (Some(texts), Some(sizes)) =
            (rows.column(0).as_string_opt::<i32>(), rows.column(1).as_primitive_opt::<UInt64Type>())
        else {
            return Err(defect("a receipt is torn"));
        };
        let entry = self.epochs.entry(epoch).or_default();
        for row in 0..rows.num_rows() {
            if texts.is_valid(row) {
                entry.receipts.push(texts.value(row).to_owned());
            } else if entry.bytes.replace(sizes.value(row)).is_some() {
                return Err(defect("an epoch was written twice"));
            }
        }
        Ok(())
    }

    /// Commits what is due of the epochs below `complete`.
    fn advance(&mut self, complete: u64) -> Result<Next> {
        let Schedule { next, end, bytes, interval } = self.schedule;
        let complete = complete.min(end);
        if complete > next {
            let ready: u64 = self.epochs.range(next..complete).filter_map(|(_, epoch)| epoch.bytes).sum();
            let waited = self.last.elapsed();
            if complete < end && ready < bytes && waited < interval {
                return Ok(Next::Within(interval - waited));
            }
            self.commit(next, complete)?;
        }
        if complete < end {
            return Ok(Next::Wait);
        }
        self.committer.finish()?;
        Ok(Next::Done)
    }

    fn commit(&mut self, next: u64, complete: u64) -> Result<()> {
        let mut receipts = Vec::new();
        for epoch in next..complete {
            match self.epochs.remove(&epoch) {
                Some(Epoch { receipts: of_epoch, bytes: Some(_) }) => receipts.extend(of_epoch),
                _ => return Err(defect(&format!("epoch {epoch} was never written"))),
            }
        }
        self.committer.commit(next..=complete - 1, receipts)?;
        self.commits.set(self.commits.get() + 1);
        self.schedule.next = complete;
        self.last = Instant::now();
        Ok(())
    }
}

fn defect(message: &str) -> Error {
    Error::external("committing", message, "this is a defect of meed")
}
