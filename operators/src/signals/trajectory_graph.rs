//! The trajectory graph of a group: states as nodes, and steps between the same states as one edge.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder, Int64Builder, ListBuilder};
use arrow::datatypes::{DataType, Field};

use super::AddSignals;
use super::texts::{Texts, counted_numbers};
use crate::Result;
use crate::columns::list_of;
use crate::credit::{STEP, Unit};

/// Adds which edge of its group's trajectory graph each policy step is.
///
/// A node is a state with the `history` steps before it, an edge a node, an action and the node after the
/// action: steps with the same edge are one decision that several rollouts took, or one rollout several
/// times. `step_edges`, `step_edge_sources` and `step_edge_targets` are numbers, counted in the group in
/// canonical order, the target -1 where the rollout ends; `step_edge_visits` is the number of steps that
/// are the edge, and `step_edge_values` the mean of a rollout signal over them. Steps of the environment, and
/// those without a state or an action, are no edge: null.
#[derive(Debug, Clone)]
pub struct TrajectoryGraph {
    /// How many earlier steps, states and actions, belong to a node; `None` is all of them, so that only
    /// common beginnings merge.
    pub history: Option<usize>,
    /// The rollout signal whose mean is an edge's value, such as `reward`.
    pub value: String,
}

const NUMBERS: [&str; 4] = ["step_edges", "step_edge_sources", "step_edge_targets", "step_edge_visits"];

/// An edge's number, source, target, visits, and the sum of known values with their number.
#[derive(Clone, Copy)]
struct Edge {
    source: i64,
    target: i64,
    visits: i64,
    first: f64,
    sum: f64,
    valued: i64,
}

impl AddSignals for TrajectoryGraph {
    fn name(&self) -> &str {
        "trajectory_graph"
    }

    fn reads(&self) -> Vec<String> {
        vec!["step_states".to_owned(), "step_actions".to_owned(), self.value.clone()]
    }

    fn requires(&self) -> Vec<String> {
        vec!["step_states".to_owned(), "step_actions".to_owned()]
    }

    fn adds(&self) -> Vec<Field> {
        let numbers = NUMBERS.iter().map(|name| Field::new(*name, list_of(DataType::Int64), true));
        numbers.chain([Field::new("step_edge_values", list_of(DataType::Float64), true)]).collect()
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let states = Texts::new(unit, self.name(), "step_states")?;
        let actions = Texts::new(unit, self.name(), "step_actions")?;
        let values = counted_numbers(unit, self.name(), &self.value)?;
        let (policy, steps) = (unit.policy_steps()?, unit.extent(&STEP)?);
        let field = |element| Arc::new(Field::new("element", element, true));
        let mut columns: [ListBuilder<Int64Builder>; 4] =
            std::array::from_fn(|_| ListBuilder::new(Int64Builder::new()).with_field(field(DataType::Int64)));
        let mut worth = ListBuilder::new(Float64Builder::new()).with_field(field(DataType::Float64));
        for group in unit.groups().windows(2) {
            let mut graph = Graph { history: self.history, ..Graph::default() };
            let found: Vec<Option<Vec<Option<usize>>>> = (group[0]..group[1])
                .map(|row| {
                    let (states, actions) = (states.row(row)?, actions.row(row)?);
                    let known =
                        states.into_iter().zip(actions).enumerate().map(|(step, decision)| match decision {
                            (Some(state), Some(action)) if policy[steps.rows[row] + step] => {
                                Some((state, action))
                            }
                            _ => None,
                        });
                    Some(graph.walk(&known.collect::<Vec<_>>(), values[row]))
                })
                .collect();
            for edges in found {
                for edge in edges.iter().flatten() {
                    let shown = edge.map(|at| (at as i64, graph.edges[at]));
                    let numbers = shown.map(|(at, edge)| [at, edge.source, edge.target, edge.visits]);
                    for (at, column) in columns.iter_mut().enumerate() {
                        column.values().append_option(numbers.map(|numbers| numbers[at]));
                    }
                    let valued = shown.map(|(_, edge)| edge).filter(|edge| edge.valued > 0);
                    worth
                        .values()
                        .append_option(valued.map(|edge| edge.first + edge.sum / edge.valued as f64));
                }
                columns.iter_mut().for_each(|column| column.append(edges.is_some()));
                worth.append(edges.is_some());
            }
        }
        let worth: ArrayRef = Arc::new(worth.finish());
        Ok(columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).chain([worth]).collect())
    }
}

/// The graph of a group as it grows.
#[derive(Default)]
struct Graph<'a> {
    history: Option<usize>,
    texts: HashMap<&'a str, usize>,
    /// By what came before: the nodes and actions of the history, and the state.
    nodes: HashMap<(Vec<usize>, usize), i64>,
    numbers: HashMap<(i64, usize, i64), usize>,
    edges: Vec<Edge>,
}

impl<'a> Graph<'a> {
    fn text(&mut self, text: &'a str) -> usize {
        let next = self.texts.len();
        *self.texts.entry(text).or_insert(next)
    }

    /// The edges of a rollout's steps, each a state and an action or nothing.
    fn walk(&mut self, steps: &[Option<(&'a str, &'a str)>], value: Option<f64>) -> Vec<Option<usize>> {
        let decisions: Vec<(usize, usize)> =
            steps.iter().flatten().map(|(state, action)| (self.text(state), self.text(action))).collect();
        let mut nodes: Vec<i64> = Vec::with_capacity(decisions.len() + 1);
        for (at, &(state, _)) in decisions.iter().enumerate() {
            let before = match (self.history, at.checked_sub(1)) {
                (_, None) => Vec::new(),
                // With all history the node before stands for what came before it.
                (None, Some(last)) => vec![nodes[last] as usize, decisions[last].1],
                (Some(history), _) => {
                    let earlier = &decisions[at.saturating_sub(history)..at];
                    earlier.iter().flat_map(|&(state, action)| [state, action]).collect()
                }
            };
            let next = self.nodes.len() as i64;
            nodes.push(*self.nodes.entry((before, state)).or_insert(next));
        }
        nodes.push(-1);
        let edges: Vec<usize> = nodes
            .windows(2)
            .zip(&decisions)
            .map(|(ends, &(_, action))| self.edge((ends[0], action, ends[1]), value))
            .collect();
        let mut edges = edges.into_iter();
        steps.iter().map(|step| step.and_then(|_| edges.next())).collect()
    }

    fn edge(&mut self, key: (i64, usize, i64), value: Option<f64>) -> usize {
        let at = *self.numbers.entry(key).or_insert_with(|| {
            let (source, target) = (key.0, key.2);
            self.edges.push(Edge { source, target, visits: 0, first: 0.0, sum: 0.0, valued: 0 });
            self.edges.len() - 1
        });
        let edge = &mut self.edges[at];
        edge.visits += 1;
        if let Some(value) = value {
            if edge.valued == 0 {
                edge.first = value;
            }
            edge.sum += value - edge.first;
            edge.valued += 1;
        }
        at
    }
}
