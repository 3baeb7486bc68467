//! The prefix tree of a group: where rollouts that share a beginning part, and what each branch is
//! worth.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Builder, Int32Builder, Int64Builder, ListBuilder};
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type};

use super::AddSignals;
use crate::columns::list_of;
use crate::credit::Unit;
use crate::{Error, Place, Result};

/// Adds the level `branch`: spans of tokens that the same rollouts of the group pass.
///
/// `branch_ends` are exclusive token offsets, `branch_nodes` node numbers in the group in order of
/// first appearance, `branch_values` the mean of a rollout signal over the rollouts that pass the
/// branch (null without any value), `branch_visits` their number. A rollout that ends leaves its
/// set, so that the others branch there too. A rollout whose ids are not all known is in no tree and
/// has no branches: null.
///
/// The tree has one node per compressed edge and is built in time linear in the tokens.
#[derive(Debug, Clone)]
pub struct PrefixTree {
    /// The rollout signal that is backed up, such as `reward`.
    pub value: String,
}

struct Branch {
    end: usize,
    node: i64,
    value: Option<f64>,
    visits: i64,
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
        vec![
            field("branch_ends", DataType::Int32),
            field("branch_nodes", DataType::Int64),
            field("branch_values", DataType::Float64),
            field("branch_visits", DataType::Int64),
        ]
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let ids = unit.list("token_ids").ok_or_else(|| missing("token_ids"))?;
        let values = unit.column(&self.value).ok_or_else(|| missing(&self.value))?;
        let values = values.as_primitive_opt::<Float64Type>().ok_or_else(|| {
            Error::data(
                Place::default().column(&self.value),
                "is not a Float64",
                "back up a number per rollout",
            )
        })?;
        let tokens = ids
            .values()
            .as_primitive_opt::<Int32Type>()
            .ok_or_else(|| Error::data(Place::default().column("token_ids"), "is not a list of Int32", ""))?;
        let offsets = ids.value_offsets();
        let known = |row: usize| {
            let (first, past) = (offsets[row] as usize, offsets[row + 1] as usize);
            ids.is_valid(row) && (tokens.null_count() == 0 || (first..past).all(|at| tokens.is_valid(at)))
        };
        let sequence = |row: usize| &tokens.values()[offsets[row] as usize..offsets[row + 1] as usize];
        let mut branches: Vec<Vec<Branch>> = (0..unit.rows()).map(|_| Vec::new()).collect();
        for group in unit.groups().windows(2) {
            let mut nodes = 0;
            let mut open: Vec<(Vec<usize>, usize)> =
                split((group[0]..group[1]).filter(|&row| known(row)).collect(), 0, &sequence);
            open.reverse();
            while let Some((rows, start)) = open.pop() {
                let end = shared_end(&rows, start, &sequence);
                let known: Vec<f64> =
                    rows.iter().filter(|&&row| values.is_valid(row)).map(|&row| values.value(row)).collect();
                let value = known
                    .first()
                    .map(|&first| first + known.iter().map(|x| x - first).sum::<f64>() / known.len() as f64);
                for &row in &rows {
                    branches[row].push(Branch { end, node: nodes, value, visits: rows.len() as i64 });
                }
                nodes += 1;
                open.extend(split(rows, end, &sequence).into_iter().rev());
            }
        }
        let field = |element| Arc::new(Field::new("element", element, true));
        let mut ends = ListBuilder::new(Int32Builder::new()).with_field(field(DataType::Int32));
        let mut nodes = ListBuilder::new(Int64Builder::new()).with_field(field(DataType::Int64));
        let mut worth = ListBuilder::new(Float64Builder::new()).with_field(field(DataType::Float64));
        let mut visits = ListBuilder::new(Int64Builder::new()).with_field(field(DataType::Int64));
        for (row, branches) in branches.iter().enumerate() {
            for branch in branches {
                ends.values().append_value(branch.end as i32);
                nodes.values().append_value(branch.node);
                worth.values().append_option(branch.value);
                visits.values().append_value(branch.visits);
            }
            ends.append(known(row));
            nodes.append(known(row));
            worth.append(known(row));
            visits.append(known(row));
        }
        Ok(vec![
            Arc::new(ends.finish()),
            Arc::new(nodes.finish()),
            Arc::new(worth.finish()),
            Arc::new(visits.finish()),
        ])
    }
}

fn missing(name: &str) -> Error {
    Error::MissingSignal {
        recipe: "prefix_tree".into(),
        signal: name.into(),
        hint: crate::credit::provider(name).into(),
    }
}

/// Rollouts that go on at `start`, by their token there, in order of first appearance.
fn split<'a>(
    rows: Vec<usize>,
    start: usize,
    sequence: &impl Fn(usize) -> &'a [i32],
) -> Vec<(Vec<usize>, usize)> {
    let mut sets: Vec<(i32, Vec<usize>)> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for row in rows {
        let Some(&token) = sequence(row).get(start) else {
            continue;
        };
        let at = *known.entry(token).or_insert_with(|| {
            sets.push((token, Vec::new()));
            sets.len() - 1
        });
        sets[at].1.push(row);
    }
    sets.into_iter().map(|(_, rows)| (rows, start)).collect()
}

/// Where rollouts that share the token at `start` first part or end.
fn shared_end<'a>(rows: &[usize], start: usize, sequence: &impl Fn(usize) -> &'a [i32]) -> usize {
    let Some((&first, others)) = rows.split_first() else {
        return start;
    };
    let lead = sequence(first);
    others.iter().fold(lead.len(), |end, &row| {
        let other = sequence(row);
        let end = end.min(other.len());
        let same = lead[start..end].iter().zip(&other[start..end]).take_while(|(a, b)| a == b).count();
        start + same
    })
}
