//! Every worker tells every other one something, and all hear the same.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryArray, RecordBatch, UInt64Array};
use arrow::datatypes::UInt64Type;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::generic::operator::source;

use super::exchange::to_worker_of;
use super::{Batch, Session};
use crate::{Error, Result};

/// Bytes of a message are sent in parts of this size.
const PART_BYTES: usize = 4 << 20;

/// Parts received from one worker: how many there will be, and those that came, in order.
type Parts = (u64, BTreeMap<u64, Vec<u8>>);

impl Session {
    /// Gives `mine` to all workers of all processes, and returns what each of them gave, by the
    /// index of the worker. A barrier: nobody goes on before all have come here.
    ///
    /// # Errors
    /// The fault that ended the run.
    pub fn share(&mut self, mine: &[u8]) -> Result<Vec<Vec<u8>>> {
        let (index, peers) = (self.index(), self.peers());
        let mut messages = messages(index as u64, peers as u64, mine)?;
        let heard: Rc<RefCell<BTreeMap<u64, Parts>>> = Rc::default();
        let faults = self.faults().clone();
        let collected = heard.clone();
        self.worker().dataflow::<u64, _, _>(|scope| {
            let told = source::<_, CapacityContainerBuilder<Batch>, _, _>(scope, "tell", |capability, _| {
                let mut capability = Some(capability);
                move |output| {
                    if let Some(capability) = capability.take() {
                        for message in messages.drain(..) {
                            output.session(&capability).give_container(&mut Batch(message));
                        }
                    }
                }
            });
            let to = |rows: &RecordBatch| number(rows, TO).unwrap_or_default() as usize;
            told.sink(to_worker_of(to), "hear", move |(input, _frontier)| {
                input.for_each(|_, batch| {
                    let rows = std::mem::take(batch).0;
                    faults.attempt("share", 0, || hear(&rows, &mut collected.borrow_mut()));
                });
            });
        });
        self.complete()?;
        let heard = std::mem::take(&mut *heard.borrow_mut());
        let whole: Vec<Vec<u8>> = heard
            .into_values()
            .filter(|(count, parts)| *count == parts.len() as u64)
            .map(|(_, parts)| parts.into_values().flatten().collect())
            .collect();
        if whole.len() != peers {
            return Err(Error::external(
                "sharing between workers",
                format!("{} of {peers} workers were heard", whole.len()),
                "this is a defect of meed",
            ));
        }
        Ok(whole)
    }
}

const TO: usize = 0;
const FROM: usize = 1;
const PART: usize = 2;
const PARTS: usize = 3;
const DATA: usize = 4;

fn messages(from: u64, peers: u64, mine: &[u8]) -> Result<Vec<RecordBatch>> {
    // Also nothing is something to tell, so there is always a first part.
    let parts: Vec<&[u8]> = match mine {
        [] => vec![&[]],
        mine => mine.chunks(PART_BYTES).collect(),
    };
    let mut messages = Vec::new();
    for (part, data) in parts.iter().enumerate() {
        let data: ArrayRef = Arc::new(BinaryArray::from_vec(vec![data]));
        for to in 0..peers {
            let number = |value: u64| Arc::new(UInt64Array::from(vec![value])) as ArrayRef;
            messages.push(RecordBatch::try_from_iter([
                ("to", number(to)),
                ("from", number(from)),
                ("part", number(part as u64)),
                ("parts", number(parts.len() as u64)),
                ("data", data.clone()),
            ])?);
        }
    }
    Ok(messages)
}

fn number(rows: &RecordBatch, column: usize) -> Option<u64> {
    let numbers = rows.columns().get(column)?.as_primitive_opt::<UInt64Type>()?;
    numbers.values().first().copied()
}

fn hear(rows: &RecordBatch, heard: &mut BTreeMap<u64, Parts>) -> Result<()> {
    let data = rows.columns().get(DATA).and_then(|data| data.as_binary_opt::<i32>());
    let numbers = (number(rows, FROM), number(rows, PART), number(rows, PARTS));
    let ((Some(from), Some(part), Some(parts)), Some(data)) = (numbers, data) else {
        return Err(Error::external("sharing", "a message is torn", "this is a defect of meed"));
    };
    let entry = heard.entry(from).or_insert_with(|| (parts, BTreeMap::new()));
    entry.1.insert(part, data.value(0).to_vec());
    Ok(())
}
