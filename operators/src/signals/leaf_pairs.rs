//! Pairs of the leaves of a group's tree, by how deep their paths part.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Builder, Int64Builder, ListBuilder, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type};

use super::AddSignals;
use super::texts::{column, counted_numbers};
use crate::Result;
use crate::columns::list_of;
use crate::credit::Unit;

/// Adds the level `rival`: for each rollout the rollouts of its group that come after it in canonical order and end
/// elsewhere, so that every pair is there once. `rival_rollouts` are their ids, `rival_depths` the number of nodes that
/// both paths share before they part (0: only the root), `rival_values` their values.
///
/// A path is the rollout's list of node ids, without nulls; the same id twice in a row is one node. Rollouts without a
/// path, without the value or without a trainable token are in no pair.
///
/// ```
/// use meed_operators::signals::LeafPairs;
/// assert_eq!(LeafPairs::depth(&[0, 2], &[0, 3]), Some(1));
/// assert_eq!(LeafPairs::depth(&[0, 2], &[1, 4]), Some(0));
/// assert_eq!(LeafPairs::depth(&[0, 2], &[0, 2]), None);
/// ```
#[derive(Debug, Clone)]
pub struct LeafPairs {
    /// The column with the node ids along each rollout, such as `step_nodes`.
    pub nodes: String,
    /// The rollout signal that leaves are compared by, such as `reward`.
    pub value: String,
}

impl AddSignals for LeafPairs {
    fn name(&self) -> &str {
        "leaf_pairs"
    }

    fn reads(&self) -> Vec<String> {
        vec![self.nodes.clone(), self.value.clone()]
    }

    fn adds(&self) -> Vec<Field> {
        let field = |name: &str, element| Field::new(name, list_of(element), true);
        vec![
            field("rival_rollouts", DataType::Utf8),
            field("rival_depths", DataType::Int64),
            field("rival_values", DataType::Float64),
        ]
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let nodes = column(unit, self.name(), &self.nodes)?;
        let values = counted_numbers(unit, self.name(), &self.value)?;
        let mut leaves: Vec<Option<(Vec<i64>, f64)>> = Vec::with_capacity(unit.rows());
        for (row, value) in values.into_iter().enumerate() {
            let Some(value) = value.filter(|_| nodes.is_valid(row)) else {
                leaves.push(None);
                continue;
            };
            let ids = cast(&nodes.value(row), &DataType::Int64)?;
            let mut path: Vec<i64> = ids.as_primitive::<Int64Type>().iter().flatten().collect();
            path.dedup();
            leaves.push(Some((path, value)));
        }
        let field = |element| Arc::new(Field::new("element", element, true));
        let mut ids = ListBuilder::new(StringBuilder::new()).with_field(field(DataType::Utf8));
        let mut depths = ListBuilder::new(Int64Builder::new()).with_field(field(DataType::Int64));
        let mut rivals = ListBuilder::new(Float64Builder::new()).with_field(field(DataType::Float64));
        for group in unit.groups().windows(2) {
            for row in group[0]..group[1] {
                let own = leaves[row].as_ref();
                for (other, leaf) in leaves.iter().enumerate().take(group[1]).skip(row + 1) {
                    let (Some((path, _)), Some((rival, value))) = (own, leaf) else {
                        continue;
                    };
                    let Some(depth) = Self::depth(path, rival) else {
                        continue;
                    };
                    ids.values().append_value(unit.rollout_id(other));
                    depths.values().append_value(depth as i64);
                    rivals.values().append_value(*value);
                }
                ids.append(own.is_some());
                depths.append(own.is_some());
                rivals.append(own.is_some());
            }
        }
        Ok(vec![Arc::new(ids.finish()), Arc::new(depths.finish()), Arc::new(rivals.finish())])
    }
}

impl LeafPairs {
    /// How many nodes two paths share before they part; `None` where they are the same.
    pub fn depth(path: &[i64], other: &[i64]) -> Option<usize> {
        (path != other).then(|| path.iter().zip(other).take_while(|(a, b)| a == b).count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn two_leaves_part_below_what_both_pass(
            path in prop::collection::vec(0i64..3, 0..5), other in prop::collection::vec(0i64..3, 0..5),
        ) {
            let depth = LeafPairs::depth(&path, &other);
            prop_assert_eq!(depth, LeafPairs::depth(&other, &path));
            prop_assert_eq!(depth.is_none(), path == other);
            if let Some(depth) = depth {
                prop_assert_eq!(&path[..depth], &other[..depth]);
                prop_assert_ne!(path.get(depth), other.get(depth));
            }
        }
    }
}
