//! Traces of orchestrated agents: whether they are well formed, and which events follow from each.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Builder, ListBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type};

use super::AddSignals;
use super::texts::Texts;
use crate::columns::list_of;
use crate::credit::Unit;
use crate::{Error, Result};

/// A trace: its events by id, its edges from event to event, and what it cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace<'a> {
    /// Ids of the events, in order.
    pub events: Vec<&'a str>,
    /// Source and target of each edge.
    pub edges: Vec<(&'a str, &'a str)>,
    /// Costs by name, such as tokens and seconds.
    pub costs: Vec<(&'a str, f64)>,
}

/// Why a trace is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TraceFault {
    /// It has no event.
    #[error("has no event")]
    NoEvent,
    /// Two events have one id.
    #[error("has event `{event}` twice")]
    RepeatedEvent {
        /// The id.
        event: String,
    },
    /// An edge begins or ends at no event.
    #[error("has an edge (number {edge}) at event `{event}`, which does not exist")]
    DanglingEdge {
        /// Its position, from 0.
        edge: usize,
        /// The id that no event has.
        event: String,
    },
    /// Something cost less than nothing.
    #[error("has the negative cost {cost} of {name}")]
    NegativeCost {
        /// What cost it.
        name: String,
        /// How much.
        cost: f64,
    },
}

impl TraceFault {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            TraceFault::NoEvent => "a trace has at least one event",
            TraceFault::RepeatedEvent { .. } => "give every event of a trace an id of its own",
            TraceFault::DanglingEdge { .. } => "import all events of the trace, or leave the edge out",
            TraceFault::NegativeCost { .. } => "costs are 0 or more",
        }
    }
}

impl Trace<'_> {
    /// The position of each event.
    ///
    /// ```
    /// use meed_operators::signals::{Trace, TraceFault};
    /// let mut trace = Trace { events: vec!["e1", "e2"], edges: vec![("e1", "e2")], ..Trace::default() };
    /// assert_eq!(trace.check()?["e2"], 1);
    /// trace.edges.push(("e1", "e9"));
    /// assert_eq!(trace.check(), Err(TraceFault::DanglingEdge { edge: 1, event: "e9".into() }));
    /// # Ok::<(), TraceFault>(())
    /// ```
    ///
    /// # Errors
    /// No event, an id that two events have, an edge at no event, a negative cost.
    pub fn check(&self) -> Result<HashMap<&str, usize>, TraceFault> {
        if self.events.is_empty() {
            return Err(TraceFault::NoEvent);
        }
        let mut positions = HashMap::new();
        for (position, &event) in self.events.iter().enumerate() {
            if positions.insert(event, position).is_some() {
                return Err(TraceFault::RepeatedEvent { event: event.to_owned() });
            }
        }
        for (edge, &(source, target)) in self.edges.iter().enumerate() {
            if let Some(event) = [source, target].into_iter().find(|end| !positions.contains_key(end)) {
                return Err(TraceFault::DanglingEdge { edge, event: event.to_owned() });
            }
        }
        match self.costs.iter().find(|(_, cost)| *cost < 0.0) {
            Some(&(name, cost)) => Err(TraceFault::NegativeCost { name: name.to_owned(), cost }),
            None => Ok(positions),
        }
    }
}

/// Adds `step_descendant_positions`: of each event the positions of all that follow from it along the edges,
/// itself first, then in order; each once, also where edges lead back.
///
/// Events are steps with `step_ids`; edges are items with `edge_sources`, `edge_targets` and, where only some
/// count, `edge_types`. A rollout in which one of these is null, or has a null element, has no units: null.
///
/// ```
/// use meed_operators::signals::{AddSignals, TraceUnits};
/// let operator = TraceUnits { edge_types: vec!["causal".into()], costs: vec![] };
/// assert_eq!(operator.reads(), ["step_ids", "edge_sources", "edge_targets", "edge_types"]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct TraceUnits {
    /// The types of edges that are followed; every one where empty.
    pub edge_types: Vec<String>,
    /// Columns with costs, which must not be negative.
    pub costs: Vec<String>,
}

impl AddSignals for TraceUnits {
    fn name(&self) -> &str {
        "trace_units"
    }

    fn reads(&self) -> Vec<String> {
        let types = (!self.edge_types.is_empty()).then_some("edge_types");
        let columns = ["step_ids", "edge_sources", "edge_targets"].into_iter().chain(types);
        columns.map(str::to_owned).chain(self.costs.iter().cloned()).collect()
    }

    fn requires(&self) -> Vec<String> {
        self.reads().into_iter().filter(|name| !self.costs.contains(name)).collect()
    }

    fn adds(&self) -> Vec<Field> {
        vec![Field::new("step_descendant_positions", list_of(list_of(DataType::Int64)), true)]
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let texts = |name: &str| Texts::new(unit, self.name(), name);
        let events = texts("step_ids")?;
        let (sources, targets) = (texts("edge_sources")?, texts("edge_targets")?);
        let types = if self.edge_types.is_empty() { None } else { Some(texts("edge_types")?) };
        let mut costs = Vec::new();
        for name in &self.costs {
            if let Some(column) = unit.column(name) {
                costs.push((name.as_str(), cast(column, &DataType::Float64)?));
            }
        }
        let element = |inner| Arc::new(Field::new("element", inner, true));
        let inner = ListBuilder::new(Int64Builder::new()).with_field(element(DataType::Int64));
        let mut added = ListBuilder::new(inner).with_field(element(list_of(DataType::Int64)));
        for row in 0..unit.rows() {
            let kinds = types.as_ref().map(|types| whole(types, row));
            let (Some(events), Some(sources), Some(targets), false) = (
                whole(&events, row),
                whole(&sources, row),
                whole(&targets, row),
                kinds.as_ref().is_some_and(Option::is_none),
            ) else {
                added.append(false);
                continue;
            };
            let of_row = costs.iter().filter_map(|(name, column)| {
                let column = column.as_primitive::<Float64Type>();
                column.is_valid(row).then(|| (*name, column.value(row)))
            });
            let trace =
                Trace { events, edges: sources.into_iter().zip(targets).collect(), costs: of_row.collect() };
            let positions = trace
                .check()
                .map_err(|fault| Error::data(unit.place(row, "step_ids"), fault.to_string(), fault.hint()))?;
            let kinds = kinds.flatten();
            let followed = |edge: usize| {
                kinds.as_ref().is_none_or(|kinds| {
                    kinds.get(edge).is_some_and(|kind| self.edge_types.iter().any(|wanted| wanted == kind))
                })
            };
            let mut next = vec![Vec::new(); trace.events.len()];
            for (_, &(source, target)) in trace.edges.iter().enumerate().filter(|(edge, _)| followed(*edge)) {
                next[positions[source]].push(positions[target]);
            }
            for event in 0..next.len() {
                for position in reached(&next, event) {
                    added.values().values().append_value(position as i64);
                }
                added.values().append(true);
            }
            added.append(true);
        }
        Ok(vec![Arc::new(added.finish())])
    }
}

/// The texts of a row, if it and all of them are known.
fn whole<'a>(texts: &Texts<'a>, row: usize) -> Option<Vec<&'a str>> {
    texts.row(row)?.into_iter().collect()
}

/// The event itself, then in order all that can be reached from it.
fn reached(next: &[Vec<usize>], event: usize) -> Vec<usize> {
    let mut seen = vec![false; next.len()];
    seen[event] = true;
    let mut open = vec![event];
    while let Some(at) = open.pop() {
        for &follower in &next[at] {
            if !std::mem::replace(&mut seen[follower], true) {
                open.push(follower);
            }
        }
    }
    let others = (0..next.len()).filter(|&other| other != event && seen[other]);
    std::iter::once(event).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named() {
        let trace = |events: &[&'static str], costs: &[(&'static str, f64)]| Trace {
            events: events.to_vec(),
            edges: Vec::new(),
            costs: costs.to_vec(),
        };
        assert_eq!(trace(&[], &[]).check(), Err(TraceFault::NoEvent));
        assert_eq!(
            trace(&["a", "b", "a"], &[]).check(),
            Err(TraceFault::RepeatedEvent { event: "a".into() })
        );
        let trace = trace(&["a"], &[("tokens", 0.0), ("wall_clock_s", -1.0)]);
        let negative = trace.check();
        assert_eq!(negative, Err(TraceFault::NegativeCost { name: "wall_clock_s".into(), cost: -1.0 }));
        assert!(negative.unwrap_err().to_string().contains("wall_clock_s"));
    }

    /// The transitive closure by repeated steps, on every graph of three events.
    #[test]
    fn what_is_reached_is_the_transitive_closure() {
        for graph in 0..512usize {
            let edge = |from: usize, to: usize| graph >> (3 * from + to) & 1 == 1;
            let next: Vec<Vec<usize>> =
                (0..3).map(|from| (0..3).filter(|&to| edge(from, to)).collect()).collect();
            for event in 0..3 {
                let mut closure = [false; 3];
                closure[event] = true;
                for _ in 0..3 {
                    for from in 0..3 {
                        for to in 0..3 {
                            closure[to] |= closure[from] && edge(from, to);
                        }
                    }
                }
                let mut got = reached(&next, event);
                assert_eq!(got[0], event);
                got.sort_unstable();
                assert_eq!(got, (0..3).filter(|&at| closure[at]).collect::<Vec<_>>());
            }
        }
    }
}
