//! The operator that writes the rows of complete epochs, and tells the committer of each.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::Operator;

use super::commit::written;
use super::live::{EPOCH, is_mark};
use super::sizes::bytes_of_rows;
use super::{Batch, EpochWriter, Faults};

/// Writes the rows of every epoch where they are, and emits its receipts when the epoch is complete. An
/// epoch in which not even its mark came is not written, and its commit is a fault: work got lost.
pub(super) fn write<'scope>(
    stream: Stream<'scope, u64, Batch>,
    faults: &Faults,
    mut writer: Box<dyn EpochWriter>,
) -> Stream<'scope, u64, Batch> {
    let faults = faults.clone();
    stream.unary_frontier::<CapacityContainerBuilder<Batch>, _, _, _>(
        Pipeline,
        "write",
        move |_capability, _info| {
            // Writers take one epoch at a time, and rows of several may come in turn.
            let mut epochs: BTreeMap<u64, (Capability<u64>, Vec<RecordBatch>)> = BTreeMap::new();
            move |(input, frontier), output| {
                if faults.raised() {
                    return;
                }
                input.for_each_time(|time, batches| {
                    let (_, rows) = epochs
                        .entry(*time.time())
                        .or_insert_with(|| (time.retain(output.output_index()), Vec::new()));
                    rows.extend(batches.map(|batch| std::mem::take(batch).0));
                });
                while let Some(first) = epochs.first_entry() {
                    let at = *first.key();
                    if frontier.less_equal(&at) || faults.raised() {
                        break;
                    }
                    let (capability, rows) = first.into_mut();
                    let rows = std::mem::take(rows);
                    let message = faults.attempt("write", at, || {
                        let mut bytes = 0;
                        for rows in rows.into_iter().filter(|rows| !is_mark(rows, EPOCH)) {
                            bytes += bytes_of_rows(&rows, 0, rows.num_rows()) as u64;
                            writer.write(at, rows)?;
                        }
                        written(&writer.close(at)?, bytes)
                    });
                    let Some(message) = message else { break };
                    output.session(capability).give_container(&mut Batch(message));
                    epochs.remove(&at);
                }
            }
        },
    )
}
