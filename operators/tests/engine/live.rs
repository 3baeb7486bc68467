//! Live streams: rows exchanged by group, and groups completed by size or by frontier.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use meed_operators::Result;
use meed_operators::engine::{Batch, by_key, execute, owner_of_group, whole_groups};
use timely::container::NoopBuilder;
use timely::dataflow::InputHandle;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::{Input, Probe};

use crate::toy::{LAYOUTS, options, processes};

fn rows(epoch: i64, members: &[(usize, i64)], size: Option<i64>) -> RecordBatch {
    let groups = members.iter().map(|(group, _)| format!("g{group}"));
    let columns: [(&str, ArrayRef, bool); 4] = [
        ("iteration", Arc::new(Int64Array::from(vec![epoch; members.len()])), false),
        ("group_id", Arc::new(StringArray::from_iter_values(groups)), false),
        ("row", Arc::new(Int64Array::from_iter_values(members.iter().map(|(_, row)| *row))), false),
        ("group_size", Arc::new(Int64Array::from(vec![size; members.len()])), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// Groups seen by all workers: rows by epoch and group, and how often the group was emitted.
type Seen = Arc<Mutex<BTreeMap<(u64, String), Vec<Vec<i64>>>>>;

fn see(seen: &Seen, epoch: u64, batch: &RecordBatch, worker: usize, peers: usize) {
    let groups = batch.column_by_name("group_id").unwrap().as_string::<i32>();
    let values = batch.column_by_name("row").unwrap().as_primitive::<Int64Type>();
    let mut here: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (group, row) in groups.iter().flatten().zip(values.values()) {
        assert_eq!(owner_of_group(epoch as i64, group, peers), worker);
        here.entry(group.to_owned()).or_default().push(*row);
    }
    let mut seen = seen.lock().unwrap();
    for (group, mut rows) in here {
        rows.sort_unstable();
        seen.entry((epoch, group)).or_default().push(rows);
    }
}

/// Every worker sends every `peers`-th member of every group, in an order of its own; group 3 lost
/// a member, group 5 does not know its size.
#[test]
fn groups_are_whole_in_every_layout() {
    for (threads, count, timely) in LAYOUTS {
        let seen: Seen = Seen::default();
        processes(count, &options(threads, timely), |options| {
            let seen = seen.clone();
            execute(&options, move |session| {
                let (index, peers) = (session.index(), session.peers());
                let faults = session.faults().clone();
                let mut input = InputHandle::<u64, NoopBuilder<Batch>>::new_with_builder();
                let seen = seen.clone();
                session.worker().dataflow::<u64, _, _>(|scope| {
                    let stream = scope.input_from(&mut input);
                    let pact = by_key(&faults, "normalize");
                    whole_groups(stream, pact, "normalize", &faults).sink(
                        Pipeline,
                        "see",
                        move |(input, _)| {
                            input.for_each(|time, batch| {
                                see(&seen, *time.time(), &batch.0, index, peers);
                            });
                        },
                    );
                });
                for epoch in 0..3u64 {
                    for step in 0..4 {
                        let member = (step + index as i64) % 4;
                        for (group, size) in [(0..3, Some(4)), (3..4, Some(4)), (5..6, None)] {
                            let members: Vec<_> = group
                                .map(|group| (group, member))
                                .filter(|(_, row)| *row as usize % peers == index)
                                .filter(|member| *member != (3, 2))
                                .collect();
                            if !members.is_empty() {
                                input.send_batch(&mut Batch(rows(epoch as i64, &members, size)));
                            }
                        }
                        session.worker().step();
                    }
                    input.advance_to(epoch + 1);
                }
                drop(input);
                session.complete()
            })
            .unwrap()
        });
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len(), 15);
        for ((epoch, group), emitted) in seen.iter() {
            let wanted = if group == "g3" { vec![0, 1, 3] } else { vec![0, 1, 2, 3] };
            assert_eq!(*emitted, [wanted], "epoch {epoch} {group} {threads}x{count}");
        }
    }
}

/// What comes out while the epoch is still open.
#[test]
fn a_group_of_known_size_does_not_wait_for_the_frontier() {
    execute(&options(1, &[]), |session| {
        let faults = session.faults().clone();
        let emitted = Arc::new(Mutex::new(Vec::new()));
        let sink = emitted.clone();
        let mut input = InputHandle::<u64, NoopBuilder<Batch>>::new_with_builder();
        let probe = session.worker().dataflow::<u64, _, _>(|scope| {
            let stream = scope.input_from(&mut input);
            whole_groups(stream, Pipeline, "judge", &faults)
                .unary::<NoopBuilder<Batch>, _, _, _>(Pipeline, "see", move |_, _| {
                    move |input, _output| {
                        input.for_each(|_, batch| sink.lock().unwrap().push(batch.0.num_rows()));
                    }
                })
                .probe()
                .0
        });
        let interleaved = [(0, 0), (1, 1), (0, 2), (1, 3), (0, 4)];
        input.send_batch(&mut Batch(rows(0, &interleaved, Some(3))));
        let began = Instant::now();
        while emitted.lock().unwrap().is_empty() && began.elapsed().as_secs() < 10 {
            session.worker().step();
        }
        assert_eq!(*emitted.lock().unwrap(), [3], "group 0 is whole, group 1 waits");
        assert!(probe.less_equal(&0));
        drop(input);
        session.complete()?;
        assert_eq!(*emitted.lock().unwrap(), [3, 2]);
        Ok(())
    })
    .unwrap();
}

fn sent(batches: Vec<RecordBatch>) -> Result<()> {
    let batches = Mutex::new(batches);
    execute(&options(1, &[]), move |session| {
        let faults = session.faults().clone();
        let mut input = InputHandle::<u64, NoopBuilder<Batch>>::new_with_builder();
        session.worker().dataflow::<u64, _, _>(|scope| {
            let stream = scope.input_from(&mut input);
            whole_groups(stream, Pipeline, "judge", &faults).probe();
        });
        input.advance_to(4);
        for batch in batches.lock().unwrap().drain(..) {
            input.send_batch(&mut Batch(batch));
        }
        drop(input);
        session.complete()
    })
    .map(|_| ())
}

#[test]
fn groups_that_contradict_their_size_are_faults() {
    for (batches, text) in [
        (vec![rows(4, &[(0, 0)], Some(2)), rows(4, &[(0, 1)], Some(3))], "say 2 and 3 members"),
        (vec![rows(4, &[(0, 0), (0, 1), (0, 2)], Some(2))], "3 rows came for 2 members"),
        (vec![rows(4, &[(0, 0)], Some(1)), rows(4, &[(0, 1)], Some(1))], "another row came"),
    ] {
        let message = sent(batches).unwrap_err().to_string();
        assert!(message.starts_with("operator judge, epoch 4: "), "{message}");
        assert!(message.contains("group `g0` of iteration 4") && message.contains(text), "{message}");
    }
}
