//! Collects the rows of live groups until each group is whole.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Int64Type};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::ParallelizationContract;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::Operator;

use super::exchange::MESSAGE_BYTES;
use super::keys::Keys;
use super::sizes::bytes_of_rows;
use super::{Batch, Faults};
use crate::{Error, Place, Result};

/// The optional Int column that says how many rows a group has; null where nobody knows.
pub const GROUP_SIZE: &str = "group_size";

/// A group by iteration and `group_id`.
type Key = (i64, String);

/// Emits the rows of every group together, in the group's epoch, as soon as the group is whole:
/// when as many rows have arrived as its [`GROUP_SIZE`] says, or else when the frontier has passed
/// the epoch, so that no more can come.
///
/// A message holds one or more whole groups, and only a group that is larger than
/// [`MESSAGE_BYTES`] makes a message larger than that. The order of rows and groups is not
/// canonical. The rows of a group must meet at one worker: pass [`by_key`](super::by_key) as `pact`
/// where they do not yet, timely's `Pipeline` where they do. `name` is the operator's in faults.
///
/// Faults: groups whose rows disagree on their size, and rows that come after their group was
/// whole.
pub fn whole_groups<'scope, P>(
    stream: Stream<'scope, u64, Batch>,
    pact: P,
    name: &str,
    faults: &Faults,
) -> Stream<'scope, u64, Batch>
where
    P: ParallelizationContract<u64, Batch>,
{
    let (faults, operator) = (faults.clone(), name.to_owned());
    stream.unary_frontier::<CapacityContainerBuilder<Batch>, _, _, _>(
        pact,
        name,
        move |_capability, _info| {
            // An epoch's capability stays with it until all its groups are out.
            let mut epochs: BTreeMap<u64, (Capability<u64>, Epoch)> = BTreeMap::new();
            move |(input, frontier), output| {
                if faults.raised() {
                    return;
                }
                input.for_each_time(|time, batches| {
                    let at = *time.time();
                    let (capability, epoch) = epochs
                        .entry(at)
                        .or_insert_with(|| (time.retain(output.output_index()), Epoch::default()));
                    let whole = faults.attempt(&operator, at, || {
                        for batch in batches {
                            epoch.add(std::mem::take(batch).0)?;
                        }
                        pack(std::mem::take(&mut epoch.whole))
                    });
                    for message in whole.into_iter().flatten() {
                        output.session(capability).give_container(&mut Batch(message));
                    }
                });
                while let Some(first) = epochs.first_entry() {
                    let at = *first.key();
                    if frontier.less_equal(&at) || faults.raised() {
                        break;
                    }
                    let (capability, epoch) = first.into_mut();
                    let rest = faults.attempt(&operator, at, || pack(epoch.rest()));
                    let Some(rest) = rest else { break };
                    for message in rest {
                        output.session(capability).give_container(&mut Batch(message));
                    }
                    epochs.remove(&at);
                }
            }
        },
    )
}

/// The groups of one epoch.
#[derive(Default)]
struct Epoch {
    open: BTreeMap<Key, Group>,
    /// Groups that became whole and are not emitted yet.
    whole: Vec<Group>,
    closed: BTreeSet<Key>,
}

/// The rows of one group that have arrived.
#[derive(Default)]
struct Group {
    rows: Vec<RecordBatch>,
    count: usize,
    size: Option<usize>,
}

impl Epoch {
    fn add(&mut self, rows: RecordBatch) -> Result<()> {
        let keys = Keys::of(&rows)?;
        let mut members: BTreeMap<Key, Vec<u32>> = BTreeMap::new();
        for run in keys.runs()? {
            let (iteration, group) = keys.at(run.start);
            let entry = members.entry((iteration, group.to_owned())).or_default();
            entry.extend(run.map(|row| row as u32));
        }
        let sizes = Sizes::of(&rows)?;
        for (key, members) in members {
            if self.closed.contains(&key) {
                return Err(misfit(&key, "another row came after the group was whole"));
            }
            let group = self.open.entry(key.clone()).or_default();
            for row in &members {
                if let Some(size) = sizes.at(*row as usize) {
                    let known = *group.size.get_or_insert(size);
                    if known != size {
                        let message = format!("its rows say {known} and {size} members");
                        return Err(misfit(&key, &message));
                    }
                }
            }
            group.count += members.len();
            group.rows.push(select(&rows, &members)?);
            match group.size {
                Some(size) if group.count > size => {
                    let message = format!("{} rows came for {size} members", group.count);
                    return Err(misfit(&key, &message));
                }
                Some(size) if group.count == size => {
                    self.whole.extend(self.open.remove(&key));
                    self.closed.insert(key);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What is left when nothing more can come.
    fn rest(&mut self) -> Vec<Group> {
        std::mem::take(&mut self.open).into_values().collect()
    }
}

fn misfit((iteration, group): &Key, message: &str) -> Error {
    Error::data(
        Place::default().column(GROUP_SIZE),
        format!("group `{group}` of iteration {iteration}: {message}"),
        "group_size is the number of rows that the group will have in this iteration",
    )
}

/// The sizes that rows claim for their groups.
struct Sizes(Option<arrow::array::Int64Array>);

impl Sizes {
    fn of(rows: &RecordBatch) -> Result<Sizes> {
        let Some(column) = rows.column_by_name(GROUP_SIZE) else {
            return Ok(Sizes(None));
        };
        if !column.data_type().is_integer() {
            return Err(Error::data(
                Place::default().column(GROUP_SIZE),
                format!("the type is {} and not an integer", column.data_type()),
                "give the number of rows of the group, or null",
            ));
        }
        let column = cast(column, &DataType::Int64)?;
        Ok(Sizes(Some(column.as_primitive::<Int64Type>().clone())))
    }

    fn at(&self, row: usize) -> Option<usize> {
        let sizes = self.0.as_ref().filter(|sizes| sizes.is_valid(row))?;
        usize::try_from(sizes.value(row)).ok()
    }
}

/// The rows at ascending indices, shared where they lie together.
fn select(rows: &RecordBatch, indices: &[u32]) -> Result<RecordBatch> {
    let (first, last) = (indices[0] as usize, indices[indices.len() - 1] as usize);
    if last - first + 1 == indices.len() {
        return Ok(rows.slice(first, indices.len()));
    }
    Ok(take_record_batch(rows, &UInt32Array::from(indices.to_vec()))?)
}

/// Messages of whole groups, up to [`MESSAGE_BYTES`] each where groups are smaller than that.
fn pack(groups: Vec<Group>) -> Result<Vec<RecordBatch>> {
    let mut messages = Vec::new();
    let (mut parts, mut bytes) = (Vec::new(), 0);
    for group in groups {
        let size: usize = group.rows.iter().map(|rows| bytes_of_rows(rows, 0, rows.num_rows())).sum();
        if bytes + size > MESSAGE_BYTES && !parts.is_empty() {
            messages.push(join(&parts)?);
            (parts, bytes) = (Vec::new(), 0);
        }
        parts.extend(group.rows);
        bytes += size;
    }
    if !parts.is_empty() {
        messages.push(join(&parts)?);
    }
    Ok(messages)
}

fn join(parts: &[RecordBatch]) -> Result<RecordBatch> {
    match parts {
        [only] => Ok(only.clone()),
        several => Ok(concat_batches(&several[0].schema(), several)?),
    }
}
