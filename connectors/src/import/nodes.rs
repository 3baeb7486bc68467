//! The nodes of a group's tree, as rows of the table `nodes`.

use arrow::array::RecordBatch;
use arrow::json::ReaderBuilder;
use meed_operators::Result;
use meed_operators::columns::Table;
use meed_operators::engine::rows_of;
use serde::Serialize;
use serde_json::{Map, Value};

use super::ImportOptions;

/// A node of a tree. Its number is its place in the list that [`node_rows`] takes.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// The number of its parent, which comes before it; none at the root, and below one that is no node.
    pub parent: Option<usize>,
    /// Edges from the root.
    pub depth: i32,
    /// Kind of the node.
    pub kind: String,
    /// Rollouts that pass it.
    pub visits: i64,
    /// What the tree's search holds it for.
    pub value: Option<f64>,
    /// Reward at the node.
    pub reward: Option<f64>,
    /// Its text.
    pub text: String,
    /// What has no column of its own.
    pub metadata: Map<String, Value>,
}

impl Node {
    /// A node below another one of the list, or below a root that is no node.
    pub fn below(parent: Option<usize>, nodes: &[Node]) -> Self {
        let depth = parent.and_then(|parent| nodes.get(parent)).map_or(1, |node| node.depth + 1);
        Node { parent, depth, ..Node::default() }
    }
}

/// The nodes from the root to a node, that one included.
pub fn path_to(node: usize, nodes: &[Node]) -> Vec<usize> {
    let above = |at: &usize| nodes.get(*at).and_then(|node| node.parent).filter(|parent| parent < at);
    let mut path: Vec<usize> = std::iter::successors(Some(node), above).collect();
    path.reverse();
    path
}

/// The tree of a group as rows of `nodes`, marked as such.
///
/// # Errors
/// None in practice: the values have the types of their columns.
pub fn node_rows(group_id: &str, nodes: &[Node], options: &ImportOptions) -> Result<RecordBatch> {
    let rows: Vec<Row<'_>> = nodes
        .iter()
        .enumerate()
        .map(|(id, node)| Row {
            iteration: options.iteration,
            group_id,
            node_id: id,
            parent_id: node.parent,
            depth: node.depth,
            kind: &node.kind,
            visits: node.visits,
            value: node.value,
            reward: node.reward,
            text: &node.text,
            metadata: (!node.metadata.is_empty()).then(|| Value::Object(node.metadata.clone()).to_string()),
        })
        .collect();
    let schema = Table::Nodes.schema();
    let mut decoder =
        ReaderBuilder::new(schema.clone()).with_batch_size(rows.len().max(1)).build_decoder()?;
    decoder.serialize(&rows)?;
    rows_of(Table::Nodes, &decoder.flush()?.unwrap_or_else(|| RecordBatch::new_empty(schema)))
}

/// One row, with the names of the columns.
#[derive(Serialize)]
struct Row<'a> {
    iteration: i64,
    group_id: &'a str,
    node_id: usize,
    parent_id: Option<usize>,
    depth: i32,
    kind: &'a str,
    visits: i64,
    value: Option<f64>,
    reward: Option<f64>,
    text: &'a str,
    metadata: Option<String>,
}
