//! Which worker gets a row: by a stable hash of its group, or one worker for all.

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use timely::communication::Push;
use timely::dataflow::channels::Message;
use timely::dataflow::channels::pact::DistributorPact;
use timely::dataflow::channels::pushers::exchange::Distributor;

use super::keys::Keys;
use super::sizes::bytes_of_rows;
use super::{Batch, Faults};
use crate::Result;

/// Most bytes of a message between workers, unless a single row is larger.
pub const MESSAGE_BYTES: usize = 8 << 20;

/// A stable hash of a group: the same in every process, build and version.
///
/// ```
/// use meed_operators::engine::hash_group;
/// assert_eq!(hash_group(0, "gsm8k-17"), hash_group(0, "gsm8k-17"));
/// assert_ne!(hash_group(0, "gsm8k-17"), hash_group(1, "gsm8k-17"));
/// ```
pub fn hash_group(iteration: i64, group_id: &str) -> u64 {
    // FNV-1a over the text, then the finaliser of splitmix64, which spreads the low bits.
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ splitmix(iteration as u64);
    for byte in group_id.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    splitmix(hash)
}

fn splitmix(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The worker, of `peers`, at which a group lives.
pub fn owner_of_group(iteration: i64, group_id: &str, peers: usize) -> usize {
    (hash_group(iteration, group_id) % peers.max(1) as u64) as usize
}

/// Sends every row to the [owner](owner_of_group) of its group.
pub struct ByKey {
    faults: Faults,
    operator: String,
}

/// The pact of [`ByKey`]: `operator` is named where rows have no group.
pub fn by_key(faults: &Faults, operator: &str) -> DistributorPact<impl FnOnce(usize) -> ByKey + 'static> {
    let (faults, operator) = (faults.clone(), operator.to_owned());
    DistributorPact(move |_peers| ByKey { faults, operator })
}

impl Distributor<Batch> for ByKey {
    fn partition<T: Clone, P: Push<Message<T, Batch>>>(
        &mut self,
        batch: &mut Batch,
        time: &T,
        pushers: &mut [P],
    ) {
        match rows_by_owner(&batch.0, pushers.len()) {
            Ok(parts) => {
                for (worker, rows) in parts {
                    push_capped(rows, time, &mut pushers[worker]);
                }
            }
            // The rows were counted as sent and never arrive, so no frontier passes them.
            Err(error) => self.faults.raise(error.in_operator(&self.operator, 0)),
        }
        *batch = Batch::default();
    }

    fn flush<T: Clone, P: Push<Message<T, Batch>>>(&mut self, _time: &T, _pushers: &mut [P]) {}
}

fn rows_by_owner(rows: &RecordBatch, peers: usize) -> Result<Vec<(usize, RecordBatch)>> {
    let keys = Keys::of(rows)?;
    let mut indices: Vec<Vec<u32>> = vec![Vec::new(); peers];
    for run in keys.runs()? {
        let (iteration, group) = keys.at(run.start);
        let owner = owner_of_group(iteration, group, peers);
        indices[owner].extend(run.map(|row| row as u32));
    }
    let mut parts = Vec::new();
    for (worker, indices) in indices.into_iter().enumerate() {
        if indices.len() == rows.num_rows() {
            return Ok(vec![(worker, rows.clone())]);
        }
        if !indices.is_empty() {
            let taken = take_record_batch(rows, &UInt32Array::from(indices))?;
            parts.push((worker, taken));
        }
    }
    Ok(parts)
}

/// Sends rows in messages of at most [`MESSAGE_BYTES`] each.
fn push_capped<T: Clone, P: Push<Message<T, Batch>>>(rows: RecordBatch, time: &T, pusher: &mut P) {
    for part in capped(&rows) {
        Message::push_at(&mut Batch(part), time.clone(), pusher);
    }
}

/// The rows as slices of at most [`MESSAGE_BYTES`], and of at least one row.
pub(super) fn capped(rows: &RecordBatch) -> Vec<RecordBatch> {
    let mut parts = Vec::new();
    let mut from = 0;
    while from < rows.num_rows() {
        let left = rows.num_rows() - from;
        let mut length = left;
        while length > 1 && bytes_of_rows(rows, from, length) > MESSAGE_BYTES {
            length = length.div_ceil(2);
        }
        parts.push(rows.slice(from, length));
        from += length;
    }
    parts
}

/// Sends whole batches to the worker that a function names.
pub struct ToWorker(Box<dyn Fn(&RecordBatch) -> usize>);

/// The pact that sends every batch to one worker, such as the one that commits.
pub fn to_worker(worker: usize) -> DistributorPact<impl FnOnce(usize) -> ToWorker + 'static> {
    to_worker_of(move |_rows| worker)
}

/// The pact that sends every batch to the worker that `worker` names for it.
pub fn to_worker_of(
    worker: impl Fn(&RecordBatch) -> usize + 'static,
) -> DistributorPact<impl FnOnce(usize) -> ToWorker + 'static> {
    DistributorPact(move |_peers| ToWorker(Box::new(worker)))
}

impl Distributor<Batch> for ToWorker {
    fn partition<T: Clone, P: Push<Message<T, Batch>>>(
        &mut self,
        batch: &mut Batch,
        time: &T,
        pushers: &mut [P],
    ) {
        let worker = (self.0)(&batch.0) % pushers.len();
        push_capped(std::mem::take(batch).0, time, &mut pushers[worker]);
    }

    fn flush<T: Clone, P: Push<Message<T, Batch>>>(&mut self, _time: &T, _pushers: &mut [P]) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use std::sync::Arc;

    /// Pinned: a different hash would send the members of one group to different workers when
    /// processes of two builds run together.
    #[test]
    fn the_hash_never_changes() {
        assert_eq!(splitmix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(hash_group(0, ""), splitmix(0xcbf2_9ce4_8422_2325 ^ 0xe220_a839_7b1d_cdaf));
    }

    #[test]
    fn every_row_goes_to_the_owner_of_its_group_and_groups_spread() {
        let groups: Vec<String> = (0..1000).map(|row| format!("g{}", row / 4)).collect();
        let rows = RecordBatch::try_from_iter([
            ("iteration", Arc::new(Int64Array::from(vec![3; 1000])) as ArrayRef),
            ("group_id", Arc::new(StringArray::from(groups))),
        ])
        .unwrap();
        let parts = rows_by_owner(&rows, 4).unwrap();
        assert_eq!(parts.iter().map(|(_, rows)| rows.num_rows()).sum::<usize>(), 1000);
        for (worker, rows) in &parts {
            assert!(rows.num_rows() > 150, "worker {worker} has {}", rows.num_rows());
            let keys = Keys::of(rows).unwrap();
            for row in 0..rows.num_rows() {
                let (iteration, group) = keys.at(row);
                assert_eq!(owner_of_group(iteration, group, 4), *worker);
            }
        }
    }

    #[test]
    fn messages_are_capped_in_bytes() {
        let text = "x".repeat(3 << 20);
        let rows = RecordBatch::try_from_iter([(
            "text",
            Arc::new(StringArray::from(vec![text.as_str(); 7])) as ArrayRef,
        )])
        .unwrap();
        let parts = capped(&rows);
        assert_eq!(parts.iter().map(|part| part.num_rows()).sum::<usize>(), 7);
        assert!(parts.iter().all(|part| bytes_of_rows(part, 0, part.num_rows()) <= MESSAGE_BYTES));
        assert!(parts.len() >= 4);
    }
}
