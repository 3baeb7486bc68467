//! The columns by which operators say where elements of rollouts are in a tree, and what that is worth.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder, Int64Builder, ListBuilder};
use arrow::datatypes::{DataType, Field};

use crate::columns::list_of;
use crate::tree::Tree;

/// Names after the prefix, such as `branch_` or `step_node_`: those of whole numbers, then those of values.
const COUNTS: [&str; 5] = ["parents", "depths", "visits", "children", "siblings"];
const VALUES: [&str; 2] = ["values", "parent_values"];

/// One value per rollout: that of the root of its group's tree.
pub(super) const TREE_VALUE: &str = "tree_value";

/// The fields, in the order of [`TreeColumns::finish`].
pub(super) fn fields(prefix: &str) -> Vec<Field> {
    let field = |name: &str, element| Field::new(format!("{prefix}{name}"), list_of(element), true);
    let counts = COUNTS.iter().map(|name| field(name, DataType::Int64));
    let values = VALUES.iter().map(|name| field(name, DataType::Float64));
    let root = Field::new(TREE_VALUE, DataType::Float64, true);
    counts.chain(values).chain([root]).collect()
}

/// A tree with values, and the ids of its nodes below the root.
pub(super) struct Valued<'a> {
    pub tree: &'a Tree,
    pub values: &'a [Option<f64>],
    pub id: &'a dyn Fn(usize) -> i64,
}

/// Builds the columns row by row.
pub(super) struct TreeColumns {
    counts: [ListBuilder<Int64Builder>; 5],
    values: [ListBuilder<Float64Builder>; 2],
    root: Float64Builder,
}

impl TreeColumns {
    pub(super) fn new() -> Self {
        let field = |element| Arc::new(Field::new("element", element, true));
        let count = || ListBuilder::new(Int64Builder::new()).with_field(field(DataType::Int64));
        let value = || ListBuilder::new(Float64Builder::new()).with_field(field(DataType::Float64));
        TreeColumns {
            counts: std::array::from_fn(|_| count()),
            values: std::array::from_fn(|_| value()),
            root: Float64Builder::new(),
        }
    }

    /// Adds a rollout with a node, or none, for each of its elements; a rollout that is not in the tree has
    /// nulls. The parent of a node below the root is -1.
    pub(super) fn row(&mut self, valued: &Valued, nodes: Option<&[Option<usize>]>) {
        let Valued { tree, values, id } = valued;
        for node in nodes.into_iter().flatten() {
            let parent = node.and_then(|node| tree.parent(node));
            let counts = node.zip(parent).map(|(node, parent)| {
                let counts =
                    [tree.depth(node), tree.visits(node), tree.children(node), tree.children(parent)];
                let [depth, visits, children, siblings] = counts.map(|count| count as i64);
                let parent = tree.parent(parent).map_or(-1, |_| id(parent));
                [parent, depth, visits, children, siblings]
            });
            for (at, column) in self.counts.iter_mut().enumerate() {
                column.values().append_option(counts.map(|counts| counts[at]));
            }
            let worth = [node.and_then(|node| values[node]), parent.and_then(|parent| values[parent])];
            for (column, worth) in self.values.iter_mut().zip(worth) {
                column.values().append_option(worth);
            }
        }
        self.counts.iter_mut().for_each(|column| column.append(nodes.is_some()));
        self.values.iter_mut().for_each(|column| column.append(nodes.is_some()));
        self.root.append_option(nodes.and_then(|_| values.first().copied().flatten()));
    }

    pub(super) fn finish(mut self) -> Vec<ArrayRef> {
        let counts = self.counts.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let values = self.values.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let root: ArrayRef = Arc::new(self.root.finish());
        counts.chain(values).chain([root]).collect()
    }
}
