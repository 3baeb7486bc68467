//! Slow work beside the worker: futures with a limit on how many run, their epochs held open meanwhile.

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{Receiver, Sender, channel};

use arrow::array::RecordBatch;
use futures::FutureExt;
use futures::future::BoxFuture;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::ParallelizationContract;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::Operator;
use tokio::runtime::Handle;

use super::{Batch, Faults, panic_message};
use crate::{Error, Result};

/// One piece of slow work: rows out, some time later.
pub type Work = BoxFuture<'static, Result<Vec<RecordBatch>>>;

/// What one piece of work is done on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// Every message, as soon as it comes.
    Message,
    /// All messages of an epoch, when no more can come; epochs in order.
    Epoch,
}

/// Does slow work without holding up the worker: sampling, judging, an update of the model, a call to
/// a service.
///
/// At most `limit` pieces run at a time; the others wait in the order in which they came, so with a
/// limit of 1 the work is done strictly in order. An epoch stays open until its rows are out. Rows
/// come out in the order in which the work ends. `name` is the operator's in faults.
///
/// Faults: what the work returns as an error, and what it panics with.
pub fn beside<'scope, P>(
    stream: Stream<'scope, u64, Batch>,
    pact: P,
    name: &str,
    faults: &Faults,
    runtime: &Handle,
    (piece, limit): (Piece, usize),
    mut work: impl FnMut(u64, Vec<RecordBatch>) -> Work + 'static,
) -> Stream<'scope, u64, Batch>
where
    P: ParallelizationContract<u64, Batch>,
{
    let (faults, operator, runtime) = (faults.clone(), name.to_owned(), runtime.clone());
    let scope = stream.scope();
    stream.unary_frontier::<CapacityContainerBuilder<Batch>, _, _, _>(pact, name, move |_first, info| {
        let wake = scope.worker().sync_activator_for(info.address.to_vec());
        let (done, ended): (Sender<Ended>, Receiver<Ended>) = channel();
        let mut open: BTreeMap<u64, Held> = BTreeMap::new();
        let mut waiting: VecDeque<Held> = VecDeque::new();
        let mut running: BTreeMap<u64, Capability<u64>> = BTreeMap::new();
        let mut started = 0;
        move |(input, frontier), output| {
            if faults.raised() {
                return;
            }
            input.for_each_time(|time, batches| {
                let rows = batches.map(|batch| std::mem::take(batch).0);
                match piece {
                    Piece::Message => {
                        waiting.extend(rows.map(|rows| (time.retain(output.output_index()), vec![rows])))
                    }
                    Piece::Epoch => open
                        .entry(*time.time())
                        .or_insert_with(|| (time.retain(output.output_index()), Vec::new()))
                        .1
                        .extend(rows),
                }
            });
            while let Some(first) = open.first_entry() {
                if frontier.less_equal(first.key()) {
                    break;
                }
                waiting.push_back(first.remove());
            }
            while let Ok((number, result)) = ended.try_recv() {
                let Some(capability) = running.get(&number) else { continue };
                let rows = faults.attempt(&operator, *capability.time(), || result);
                // A piece that failed keeps its capability: its epoch never becomes complete.
                let Some(rows) = rows else { return };
                for rows in rows {
                    output.session(capability).give_container(&mut Batch(rows));
                }
                running.remove(&number);
            }
            while running.len() < limit.max(1) {
                let Some((capability, rows)) = waiting.pop_front() else { break };
                let (done, wake, number) = (done.clone(), wake.clone(), started);
                let piece = work(*capability.time(), rows);
                runtime.spawn(async move {
                    let result = AssertUnwindSafe(piece).catch_unwind().await;
                    let result = result.unwrap_or_else(|panic| {
                        let message = format!("panicked: {}", panic_message(&*panic));
                        Err(Error::external("work beside the dataflow", message, "this is a defect"))
                    });
                    // Without a receiver the run is over, and nobody waits for the rows.
                    let _over = done.send((number, result));
                    let _gone = wake.activate();
                });
                running.insert(number, capability);
                started += 1;
            }
        }
    })
}

type Held = (Capability<u64>, Vec<RecordBatch>);
type Ended = (u64, Result<Vec<RecordBatch>>);
