//! Rows of the table `nodes`, as tests read them.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use meed_operators::columns::Table;
use meed_operators::engine::table_of;
use serde_json::Value;

use crate::support::{list, text};

/// A row of `nodes`.
#[derive(Debug, Clone)]
pub struct Node {
    pub id: i64,
    pub parent: Option<i64>,
    pub depth: i32,
    pub kind: String,
    pub visits: i64,
    pub value: Option<f64>,
    pub reward: Option<f64>,
    pub text: String,
    pub metadata: Value,
}

/// Splits what an importer gives into rollouts and the nodes of each group, in their order.
pub fn split(batches: Vec<RecordBatch>) -> (Vec<RecordBatch>, BTreeMap<String, Vec<Node>>) {
    let (nodes, rollouts): (Vec<_>, Vec<_>) =
        batches.into_iter().partition(|batch| table_of(batch) == Some(Table::Nodes));
    let mut groups: BTreeMap<String, Vec<Node>> = BTreeMap::new();
    for batch in &nodes {
        for (field, defined) in batch.schema().fields().iter().zip(Table::Nodes.schema().fields()) {
            assert_eq!((field.name(), field.data_type()), (defined.name(), defined.data_type()));
        }
        let integers = |name: &str, row: usize| {
            let column = batch.column_by_name(name).unwrap().as_primitive::<Int64Type>();
            column.is_valid(row).then(|| column.value(row))
        };
        let numbers = |name: &str, row: usize| {
            let column = batch.column_by_name(name).unwrap().as_primitive::<Float64Type>();
            column.is_valid(row).then(|| column.value(row))
        };
        for row in 0..batch.num_rows() {
            let metadata = text(batch, "metadata", row).unwrap_or("{}");
            groups.entry(text(batch, "group_id", row).unwrap().to_owned()).or_default().push(Node {
                id: integers("node_id", row).unwrap(),
                parent: integers("parent_id", row),
                depth: batch.column_by_name("depth").unwrap().as_primitive::<Int32Type>().value(row),
                kind: text(batch, "kind", row).unwrap().to_owned(),
                visits: integers("visits", row).unwrap(),
                value: numbers("value", row),
                reward: numbers("reward", row),
                text: text(batch, "text", row).unwrap().to_owned(),
                metadata: serde_json::from_str(metadata).unwrap(),
            });
        }
    }
    for nodes in groups.values() {
        check_tree(nodes);
    }
    (rollouts, groups)
}

/// Ids count up, parents come before their children, and depths are edges from the root, which is the first
/// node or none.
fn check_tree(nodes: &[Node]) {
    let below_the_root = i32::from(nodes[0].kind != "root");
    for (place, node) in nodes.iter().enumerate() {
        assert_eq!(node.id, place as i64);
        match node.parent {
            None => assert_eq!(node.depth, below_the_root),
            Some(parent) => {
                assert!(parent < node.id);
                assert_eq!(node.depth, nodes[parent as usize].depth + 1);
            }
        }
    }
}

/// The nodes from below the root to this one.
pub fn path<'a>(nodes: &'a [Node], leaf: &'a Node) -> Vec<&'a Node> {
    let above = |node: &&'a Node| node.parent.map(|parent| &nodes[parent as usize]);
    let mut path: Vec<&Node> =
        std::iter::successors(Some(leaf), above).filter(|node| node.depth > 0).collect();
    path.reverse();
    path
}

/// The nodes that a rollout's steps are.
pub fn step_nodes(batch: &RecordBatch, row: usize) -> Vec<Option<i64>> {
    list(batch, "step_nodes").value(row).as_primitive::<Int64Type>().iter().collect()
}
