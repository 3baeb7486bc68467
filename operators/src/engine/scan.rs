//! The operator that reads a worker's slices and hands whole groups to whoever asked.

use std::sync::Arc;

use arrow::array::RecordBatch;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilderSession;
use timely::dataflow::operators::generic::operator::source as timely_source;
use timely::dataflow::{Scope, Stream};

use super::keys::KEY_COLUMNS;
use super::read_ahead::{Plan, Read, Reader};
use super::units::Units;
use super::{Batch, Faults, Source};
use crate::{Error, Result};

/// What a scan finds, in order.
pub(super) enum Found {
    /// Whole groups of a slice.
    Unit(u64, RecordBatch),
    /// All rows of a slice were handed over.
    SliceEnd(u64),
    /// All slices of this worker are done.
    End,
}

/// The output of a scan, at the time of the current slice.
pub(super) type Output<'a> = OutputBuilderSession<'a, u64, CapacityContainerBuilder<Batch>>;

/// Which part of a source a worker scans, and how.
pub(super) struct Scan {
    pub(super) source: Arc<dyn Source>,
    pub(super) columns: Vec<String>,
    /// The first slice that any worker reads.
    pub(super) start: u64,
    pub(super) read_ahead_bytes: usize,
}

impl Scan {
    /// Every worker takes every `peers`-th slice: neighbours finish at about the same time, so
    /// that epochs become complete in order.
    fn slices(&self, index: usize, peers: usize) -> Vec<u64> {
        let slices = self.start..self.source.slices();
        slices.filter(|slice| *slice % peers as u64 == index as u64).collect()
    }

    fn check(&self) -> Result<()> {
        for key in KEY_COLUMNS {
            if !self.columns.iter().any(|column| column == key) {
                return Err(Error::usage(
                    format!("the columns to read from {} lack `{key}`", self.source.uri()),
                    "name it: the engine finds groups by iteration and group_id",
                ));
            }
        }
        Ok(())
    }
}

/// Adds the operator. Per activation it reads one batch or hands over one unit, so that the worker
/// stays responsive; there is no queue behind it, because `handle` is done with a unit before the
/// next is looked at. It holds the capability of the slice at hand, and of nothing earlier.
pub(super) fn scan<'scope>(
    scope: Scope<'scope, u64>,
    faults: &Faults,
    scan: Scan,
    mut handle: impl FnMut(Found, &Capability<u64>, &mut Output<'_>) -> Result<()> + 'static,
) -> Stream<'scope, u64, Batch> {
    let faults = faults.clone();
    timely_source(scope, "scan", move |capability, info| {
        let activator = scope.activator_for(info.address.clone());
        let wake = scope.worker().sync_activator_for(info.address.to_vec());
        let slices = scan.slices(scope.index(), scope.peers());
        let prepared = faults.attempt("read", scan.start, || {
            scan.check()?;
            let plan =
                Plan { source: scan.source.clone(), columns: scan.columns.clone(), slices: slices.clone() };
            Reader::new(plan, scan.read_ahead_bytes, wake)
        });
        let mut state = prepared.map(|reader| State {
            reader,
            units: None,
            uri: scan.source.uri().to_owned(),
            slices: slices.into_iter(),
        });
        let mut capability = Some(capability);
        move |output| {
            let (Some(work), Some(held), false) = (&mut state, &mut capability, faults.raised()) else {
                return;
            };
            match work.step(&faults, held, output, &mut handle) {
                Ok(Step::Again) => activator.activate(),
                Ok(Step::Wait) => {}
                Ok(Step::Done) => {
                    state = None;
                    capability = None;
                }
                // The capability stays, so that nobody takes the slice for complete.
                Err(error) => faults.raise(error),
            }
        }
    })
}

enum Step {
    Again,
    Wait,
    Done,
}

struct State {
    reader: Reader,
    units: Option<(u64, Units)>,
    uri: String,
    slices: std::vec::IntoIter<u64>,
}

impl State {
    fn step(
        &mut self,
        faults: &Faults,
        capability: &mut Capability<u64>,
        output: &mut Output<'_>,
        handle: &mut impl FnMut(Found, &Capability<u64>, &mut Output<'_>) -> Result<()>,
    ) -> Result<Step> {
        let (slice, units) = match &mut self.units {
            Some((slice, units)) => (*slice, units),
            None => match self.slices.next() {
                Some(slice) => {
                    capability.downgrade(&slice);
                    let units = Units::new(&self.uri, slice);
                    (slice, &mut self.units.insert((slice, units)).1)
                }
                None => {
                    handle(Found::End, capability, output)?;
                    return Ok(Step::Done);
                }
            },
        };
        if let Some(unit) = units.pop() {
            handle(Found::Unit(slice, unit), capability, output)?;
            return Ok(Step::Again);
        }
        let reader = &mut self.reader;
        let read = faults.attempt_at("read", slice, || {
            let read = reader.next()?;
            match &read {
                Read::Rows(rows) => units.push(rows)?,
                Read::End => units.finish()?,
                Read::Wait => {}
            }
            Ok(read)
        })?;
        match read {
            Read::Wait => return Ok(Step::Wait),
            Read::Rows(_) => {}
            Read::End => {
                while let Some(unit) = units.pop() {
                    handle(Found::Unit(slice, unit), capability, output)?;
                }
                self.units = None;
                handle(Found::SliceEnd(slice), capability, output)?;
            }
        }
        Ok(Step::Again)
    }
}
