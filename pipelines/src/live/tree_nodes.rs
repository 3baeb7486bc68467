//! Rows of the `nodes` table from the branches that a recipe's prefix tree found.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray, new_null_array,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use meed_operators::Result;
use meed_operators::columns::Table;
use meed_operators::credit::Unit;

#[derive(Clone, Copy)]
struct Node {
    parent: Option<i64>,
    depth: i32,
    start: i32,
    end: i32,
    visits: Option<i64>,
    value: Option<f64>,
}

/// One row per node of every group; `None` where no operator built trees. A node is a run of tokens that
/// the same rollouts pass, with their mean value.
///
/// # Errors
/// None in practice: the columns are those that the operator adds.
pub fn tree_nodes(unit: &Unit) -> Result<Option<RecordBatch>> {
    let (Some(ends), Some(ids)) = (unit.list("branch_ends"), unit.list("branch_nodes")) else {
        return Ok(None);
    };
    let (Some(values), Some(visits)) = (unit.list("branch_values"), unit.list("branch_visits")) else {
        return Ok(None);
    };
    let mut keys: Vec<(i64, String, i64)> = Vec::new();
    let mut nodes: Vec<Node> = Vec::new();
    for group in unit.groups().windows(2) {
        let mut found: BTreeMap<i64, Node> = BTreeMap::new();
        for row in group[0]..group[1] {
            let (ends, ids) = (ends.value(row), ids.value(row));
            let (values, visits) = (values.value(row), visits.value(row));
            let (ends, ids) = (ends.as_primitive::<Int32Type>(), ids.as_primitive::<Int64Type>());
            let (values, visits) = (values.as_primitive::<Float64Type>(), visits.as_primitive::<Int64Type>());
            let (mut parent, mut start) = (None, 0);
            for branch in 0..ids.len() {
                let (id, end) = (ids.value(branch), ends.value(branch));
                found.entry(id).or_insert(Node {
                    parent,
                    depth: branch as i32,
                    start,
                    end,
                    visits: visits.is_valid(branch).then(|| visits.value(branch)),
                    value: values.is_valid(branch).then(|| values.value(branch)),
                });
                (parent, start) = (Some(id), end);
            }
        }
        for (id, node) in found {
            keys.push((unit.iteration(group[0]), unit.group_id(group[0]).to_owned(), id));
            nodes.push(node);
        }
    }
    let schema = Table::Nodes.schema();
    let integers = |of: &dyn Fn(&Node) -> Option<i64>| -> ArrayRef {
        Arc::new(nodes.iter().map(of).collect::<Int64Array>())
    };
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        match field.name().as_str() {
            "iteration" => Arc::new(Int64Array::from_iter_values(keys.iter().map(|key| key.0))),
            "group_id" => Arc::new(StringArray::from_iter_values(keys.iter().map(|key| key.1.as_str()))),
            "node_id" => Arc::new(Int64Array::from_iter_values(keys.iter().map(|key| key.2))),
            "kind" => Arc::new(StringArray::from(vec!["branch"; nodes.len()])),
            "parent_id" => integers(&|node| node.parent),
            "depth" => Arc::new(Int32Array::from_iter_values(nodes.iter().map(|node| node.depth))),
            "token_start" => Arc::new(Int32Array::from_iter_values(nodes.iter().map(|node| node.start))),
            "token_end" => Arc::new(Int32Array::from_iter_values(nodes.iter().map(|node| node.end))),
            "visits" => integers(&|node| node.visits),
            "value" => Arc::new(nodes.iter().map(|node| node.value).collect::<Float64Array>()),
            _ => new_null_array(field.data_type(), nodes.len()),
        }
    });
    let columns: Vec<ArrayRef> = columns.collect();
    Ok(Some(RecordBatch::try_new(schema.clone(), columns)?))
}
