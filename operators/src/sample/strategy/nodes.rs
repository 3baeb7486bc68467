//! The tree of a group as rows of the table `nodes`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use serde_json::json;

use crate::Result;
use crate::columns::Table;

/// A rollout of a tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    /// Its id.
    pub rollout_id: String,
    /// The rollout that it goes on from, by its number in the list; it comes before this one.
    pub parent: Option<usize>,
    /// How many tokens it shares with it.
    pub shared: usize,
    /// Number of its tokens.
    pub tokens: usize,
    /// Its reward, where it is known.
    pub reward: Option<f64>,
}

/// One row of `nodes`.
struct Node {
    parent: Option<i64>,
    depth: i32,
    kind: &'static str,
    start: usize,
    end: usize,
    visits: i64,
    rewards: Vec<f64>,
    reward: Option<f64>,
    rollout: Option<String>,
}

/// Rows of `nodes` for the trees of an iteration: the root is the prompt, every other node a run of
/// tokens that the same rollouts pass. `visits` counts them and `value` is the mean of their rewards.
///
/// # Errors
/// None for branches whose parents come before them.
pub fn tree_nodes(iteration: i64, groups: &[(String, Vec<Branch>)]) -> Result<RecordBatch> {
    let mut rows: Vec<(&str, i64, Node)> = Vec::new();
    for (group, branches) in groups {
        let nodes = nodes_of(branches);
        rows.extend(nodes.into_iter().enumerate().map(|(id, node)| (group.as_str(), id as i64, node)));
    }
    let value = |node: &Node| -> Option<f64> {
        (!node.rewards.is_empty()).then(|| node.rewards.iter().sum::<f64>() / node.rewards.len() as f64)
    };
    let metadata = |node: &Node| node.rollout.as_ref().map(|id| json!({ "rollout_id": id }).to_string());
    let integers = |of: &dyn Fn(&Node) -> i32| -> Int32Array {
        rows.iter().map(|(_, _, node)| Some(of(node))).collect()
    };
    let columns: Vec<arrow::array::ArrayRef> = vec![
        Arc::new(Int64Array::from_value(iteration, rows.len())),
        Arc::new(rows.iter().map(|(group, _, _)| Some(*group)).collect::<StringArray>()),
        Arc::new(rows.iter().map(|(_, id, _)| Some(*id)).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|(_, _, node)| node.parent).collect::<Int64Array>()),
        Arc::new(integers(&|node| node.depth)),
        Arc::new(rows.iter().map(|(_, _, node)| Some(node.kind)).collect::<StringArray>()),
        Arc::new(integers(&|node| node.start as i32)),
        Arc::new(integers(&|node| node.end as i32)),
        Arc::new(rows.iter().map(|(_, _, node)| Some(node.visits)).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|(_, _, node)| value(node)).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|(_, _, node)| node.reward).collect::<Float64Array>()),
        Arc::new(StringArray::new_null(rows.len())),
        Arc::new(rows.iter().map(|(_, _, node)| metadata(node)).collect::<StringArray>()),
        Arc::new(StringArray::new_null(rows.len())),
    ];
    Ok(RecordBatch::try_new(Table::Nodes.schema(), columns)?)
}

fn nodes_of(branches: &[Branch]) -> Vec<Node> {
    let node = |parent, depth, kind, start, end| Node {
        parent,
        depth,
        kind,
        start,
        end,
        visits: 0,
        rewards: Vec::new(),
        reward: None,
        rollout: None,
    };
    let mut nodes = vec![node(None, 0, "prompt", 0, 0)];
    // For each rollout: the node that ends at a token count, for all counts at which one ends.
    let mut ends: Vec<BTreeMap<usize, usize>> = Vec::new();
    for (number, branch) in branches.iter().enumerate() {
        let (mut at, mut known) = match branch.parent.and_then(|parent| ends.get(parent)) {
            Some(parent) => {
                let known: BTreeMap<usize, usize> =
                    parent.range(..=branch.shared).map(|(&end, &node)| (end, node)).collect();
                (known.last_key_value().map_or(0, |(_, &node)| node), known)
            }
            None => (0, BTreeMap::from([(0, 0)])),
        };
        let mut cuts: BTreeSet<usize> = descendants_cuts(branches, number);
        cuts.insert(branch.tokens);
        let mut start = branch.shared;
        for end in cuts.into_iter().filter(|&end| end > branch.shared) {
            nodes.push(node(Some(at as i64), nodes[at].depth + 1, "branch", start, end));
            at = nodes.len() - 1;
            known.insert(end, at);
            start = end;
        }
        nodes[at].rollout = Some(branch.rollout_id.clone());
        nodes[at].reward = branch.reward;
        let mut passed = Some(at);
        while let Some(index) = passed {
            nodes[index].visits += 1;
            nodes[index].rewards.extend(branch.reward);
            passed = nodes[index].parent.map(|parent| parent as usize);
        }
        ends.push(known);
    }
    nodes
}

/// Token counts at which the rollouts that go on from this one, or from one that does, leave it.
fn descendants_cuts(branches: &[Branch], number: usize) -> BTreeSet<usize> {
    let mut cuts = BTreeSet::new();
    // How many of this rollout's tokens each later one shares.
    let mut shared: BTreeMap<usize, usize> = BTreeMap::from([(number, branches[number].tokens)]);
    for (child, branch) in branches.iter().enumerate().skip(number + 1) {
        if let Some(&most) = branch.parent.and_then(|parent| shared.get(&parent)) {
            let length = branch.shared.min(most);
            shared.insert(child, length);
            cuts.insert(length);
        }
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;
    use arrow::datatypes::{Float64Type, Int32Type, Int64Type};

    fn branch(id: &str, parent: Option<usize>, shared: usize, tokens: usize, reward: f64) -> Branch {
        Branch { rollout_id: id.into(), parent, shared, tokens, reward: Some(reward) }
    }

    #[test]
    fn branches_of_branches() {
        let branches = vec![
            branch("a", None, 0, 10, 1.0),
            branch("b", None, 0, 4, 0.0),
            branch("c", Some(0), 6, 9, 0.0),
            branch("d", Some(2), 3, 5, 1.0),
            branch("e", Some(2), 7, 8, 1.0),
        ];
        let rows = tree_nodes(2, &[("g".to_owned(), branches)]).unwrap();
        let ints = |name: &str| -> Vec<i32> {
            rows.column_by_name(name).unwrap().as_primitive::<Int32Type>().values().to_vec()
        };
        let longs = |name: &str| -> Vec<Option<i64>> {
            rows.column_by_name(name).unwrap().as_primitive::<Int64Type>().iter().collect()
        };
        // prompt, a to 3, a to 6, a to 10, b, c to 7, c to 9, d, e.
        assert_eq!(ints("token_start"), [0, 0, 3, 6, 0, 6, 7, 3, 7]);
        assert_eq!(ints("token_end"), [0, 3, 6, 10, 4, 7, 9, 5, 8]);
        let parents = [None, Some(0), Some(1), Some(2), Some(0), Some(2), Some(5), Some(1), Some(5)];
        assert_eq!(longs("parent_id"), parents);
        assert_eq!(ints("depth"), [0, 1, 2, 3, 1, 3, 4, 2, 4]);
        let visits: Vec<i64> = longs("visits").into_iter().flatten().collect();
        assert_eq!(visits, [5, 4, 3, 1, 1, 2, 1, 1, 1]);
        let values = rows.column_by_name("value").unwrap().as_primitive::<Float64Type>();
        assert_eq!(values.value(0), 0.6);
        assert_eq!((values.value(1), values.value(5)), (0.75, 0.5));
    }
}
