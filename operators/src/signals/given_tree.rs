//! A tree that is given by the node of each step: search trees, branches of denoising, trees of roles.

use arrow::array::{Array, ArrayRef, AsArray, ListArray, PrimitiveArray};
use arrow::datatypes::{Field, Float64Type, Int64Type};

use super::AddSignals;
use super::texts::{column, counted_numbers, wrong};
use super::tree_columns::{TreeColumns, Valued, fields};
use crate::credit::{STEP, Unit};
use crate::tree::{Backup, OtherParent, Tree};
use crate::{Error, Result};

/// Adds where each step is in its group's tree, and what that is worth, from `step_nodes`.
///
/// A rollout is a path from the root to where it ends. Steps of the environment may have no node, and steps
/// with the node of the one before are in that node too; a rollout with a policy step without a node is in no
/// tree: null. `step_node_parents` are the nodes above (-1 below the
/// root, which is no node of any step), `step_node_depths` count from 1, `step_node_visits` rollouts,
/// `step_node_children` and `step_node_siblings` (with the node itself) nodes, `step_node_values` and
/// `step_node_parent_values` are backed up, and `tree_value` is the value of the root. Null at steps without a
/// node. A rollout without a trainable token is in the tree, but not in its values.
#[derive(Debug, Clone)]
pub struct GivenTree {
    /// The rollout signal that is backed up, such as `reward`.
    pub value: String,
    /// How.
    pub backup: Backup,
    /// The step signal with the numbers of edges, for the softmax backups. An edge has the number of the first
    /// step, in canonical order, that its node is and that has one; a rollout with a policy step without one is in no
    /// tree.
    pub edges: Option<String>,
}

impl AddSignals for GivenTree {
    fn name(&self) -> &str {
        "given_tree"
    }

    fn reads(&self) -> Vec<String> {
        let own = ["step_nodes".to_owned(), self.value.clone()];
        own.into_iter().chain(self.edges.clone()).collect()
    }

    fn adds(&self) -> Vec<Field> {
        fields("step_node_")
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let nodes = column(unit, self.name(), "step_nodes")?;
        let values = counted_numbers(unit, self.name(), &self.value)?;
        let edges = match &self.edges {
            Some(name) => Some((name, column(unit, self.name(), name)?)),
            None => None,
        };
        let (policy, extent) = (unit.policy_steps()?, unit.extent(&STEP)?);
        let mut columns = TreeColumns::new();
        for group in unit.groups().windows(2) {
            let rows = group[0]..group[1];
            let known = |row: usize| {
                let policy = &policy[extent.rows[row]..extent.rows[row + 1]];
                let weighed = edges.is_none_or(|(_, edges)| known_where(edges, row, policy));
                if weighed { nodes_of(unit, nodes, row, policy) } else { Ok(None) }
            };
            let steps: Vec<_> = rows.clone().map(known).collect::<Result<_>>()?;
            let path = |steps: &Option<PrimitiveArray<Int64Type>>| {
                steps.as_ref().map(|steps| steps.iter().flatten().collect())
            };
            let paths: Vec<Option<Vec<i64>>> = steps.iter().map(path).collect();
            let (tree, ids) = Tree::of_paths(&paths).map_err(|OtherParent { rollout, id }| {
                Error::data(
                    unit.place(group[0] + rollout, "step_nodes"),
                    format!("the node {id} is below another node than in an earlier rollout of its group"),
                    "a node has one parent; nodes of a graph are states, which recipes read from step_states",
                )
            })?;
            let at = |(rollout, steps): (usize, &Option<_>)| {
                steps.as_ref().map(|steps| positions(&tree, rollout, steps, &ids))
            };
            let found: Vec<Option<Vec<Option<usize>>>> = steps.iter().enumerate().map(at).collect();
            let given = match edges {
                Some((name, list)) => Some(edges_of(name, list, &tree, rows.zip(&found))?),
                None => None,
            };
            let backed_up = tree.back_up(&values[group[0]..group[1]], given.as_deref(), self.backup);
            let valued = Valued { tree: &tree, values: &backed_up, id: &|node| ids[node - 1] };
            for found in &found {
                columns.row(&valued, found.as_deref());
            }
        }
        Ok(columns.finish())
    }
}

/// True where the list has a value at every policy step.
fn known_where(list: &ListArray, row: usize, policy: &[bool]) -> bool {
    let steps = list.value(row);
    list.is_valid(row) && !policy.iter().enumerate().any(|(step, &acts)| acts && steps.is_null(step))
}

/// The node ids of a rollout's steps; `None` where the list is null, or an element at a policy step.
fn nodes_of(
    unit: &Unit,
    nodes: &ListArray,
    row: usize,
    policy: &[bool],
) -> Result<Option<PrimitiveArray<Int64Type>>> {
    let steps = nodes.value(row);
    let steps =
        steps.as_primitive_opt::<Int64Type>().ok_or_else(|| wrong("step_nodes", "hold Int64"))?.clone();
    if !known_where(nodes, row, policy) {
        return Ok(None);
    }
    match steps.iter().flatten().find(|&id| id < 0) {
        None => Ok(Some(steps)),
        Some(id) => Err(Error::data(
            unit.place(row, "step_nodes"),
            format!("the node {id} is negative"),
            "number nodes from 0, and leave steps that are in no tree null",
        )),
    }
}

/// The node of the tree that each step of a rollout is.
fn positions(
    tree: &Tree,
    rollout: usize,
    steps: &PrimitiveArray<Int64Type>,
    ids: &[i64],
) -> Vec<Option<usize>> {
    let mut path = tree.path(rollout).into_iter();
    let mut last: Option<usize> = None;
    steps
        .iter()
        .map(|id| {
            let id = id?;
            if last.is_none_or(|node| ids[node - 1] != id) {
                last = path.next();
            }
            last
        })
        .collect()
}

/// The number of the edge above each node: of the first step that the node is.
fn edges_of<'a>(
    name: &str,
    list: &ListArray,
    tree: &Tree,
    rows: impl Iterator<Item = (usize, &'a Option<Vec<Option<usize>>>)>,
) -> Result<Vec<f64>> {
    let mut edges: Vec<Option<f64>> = vec![None; tree.nodes()];
    for (row, found) in rows.filter(|(row, _)| list.is_valid(*row)) {
        let numbers = list.value(row);
        let numbers = numbers.as_primitive_opt::<Float64Type>().ok_or_else(|| wrong(name, "hold Float64"))?;
        for (number, node) in numbers.iter().zip(found.iter().flatten()) {
            if let Some((node, number)) = node.zip(number) {
                edges[node].get_or_insert(number);
            }
        }
    }
    Ok(edges.into_iter().map(|edge| edge.unwrap_or(0.0)).collect())
}
