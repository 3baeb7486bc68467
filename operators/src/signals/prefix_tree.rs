//! The prefix tree of a group: where rollouts that share a beginning part, and what each branch is
//! worth.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Builder, Int64Builder, ListBuilder};
use arrow::datatypes::{DataType, Field, Int32Type};

use super::AddSignals;
use super::texts::{column, counted_numbers, wrong};
use super::tree_columns::{TreeColumns, Valued, fields};
use crate::Result;
use crate::columns::list_of;
use crate::credit::Unit;
use crate::tree::{Backup, TokenTree};

/// Adds the level `branch`: spans of tokens that the same rollouts of the group pass.
///
/// `branch_ends` are exclusive token offsets, `branch_nodes` node numbers in the group, depth first, siblings
/// in canonical order. `branch_parents` are the nodes above (-1 below the root), `branch_depths` count from 1,
/// `branch_visits` rollouts, `branch_children` and `branch_siblings` (with the branch itself) nodes,
/// `branch_values` and `branch_parent_values` are backed up (null without any value), and `tree_value` is the
/// value of the root. A rollout that ends leaves its set, so that the others branch there too. A
/// rollout whose ids are not all known is in no tree and has no branches: null. One without a trainable token is in
/// the tree, but not in its values.
///
/// The tree has one node per compressed edge and is built in time linear in the tokens.
#[derive(Debug, Clone)]
pub struct PrefixTree {
    /// The rollout signal that is backed up, such as `reward`.
    pub value: String,
    /// How. There are no edges, so that the softmax backups weight all alike.
    pub backup: Backup,
}

impl AddSignals for PrefixTree {
    fn name(&self) -> &str {
        "prefix_tree"
    }

    fn reads(&self) -> Vec<String> {
        vec!["token_ids".to_owned(), self.value.clone()]
    }

    fn adds(&self) -> Vec<Field> {
        let field = |name: &str, element| Field::new(name, list_of(element), true);
        let spans = [field("branch_ends", DataType::Int32), field("branch_nodes", DataType::Int64)];
        spans.into_iter().chain(fields("branch_")).collect()
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let ids = column(unit, self.name(), "token_ids")?;
        let values = counted_numbers(unit, self.name(), &self.value)?;
        let tokens =
            ids.values().as_primitive_opt::<Int32Type>().ok_or_else(|| wrong("token_ids", "hold Int32"))?;
        let offsets = ids.value_offsets();
        let sequence = |row: usize| {
            let (first, past) = (offsets[row] as usize, offsets[row + 1] as usize);
            let known = ids.is_valid(row)
                && (tokens.null_count() == 0 || (first..past).all(|at| tokens.is_valid(at)));
            known.then(|| &tokens.values()[first..past])
        };
        let field = |element| Arc::new(Field::new("element", element, true));
        let mut ends = ListBuilder::new(Int32Builder::new()).with_field(field(DataType::Int32));
        let mut nodes = ListBuilder::new(Int64Builder::new()).with_field(field(DataType::Int64));
        let mut columns = TreeColumns::new();
        for group in unit.groups().windows(2) {
            let rows = group[0]..group[1];
            let sequences: Vec<_> = rows.clone().map(sequence).collect();
            let prefixes = TokenTree::new(&sequences);
            let tree = prefixes.tree();
            let backed_up = tree.back_up(&values[rows], None, self.backup);
            let valued = Valued { tree, values: &backed_up, id: &|node| node as i64 - 1 };
            for rollout in 0..sequences.len() {
                let path: Option<Vec<_>> =
                    tree.end(rollout).map(|_| tree.path(rollout).into_iter().map(Some).collect());
                for node in path.iter().flatten().flatten() {
                    ends.values().append_value(prefixes.span(*node).1 as i32);
                    nodes.values().append_value(*node as i64 - 1);
                }
                ends.append(path.is_some());
                nodes.append(path.is_some());
                columns.row(&valued, path.as_deref());
            }
        }
        let spans: [ArrayRef; 2] = [Arc::new(ends.finish()), Arc::new(nodes.finish())];
        Ok(spans.into_iter().chain(columns.finish()).collect())
    }
}
