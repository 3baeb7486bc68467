//! Rows of the tables `nodes` and `edges` from the columns that tree operators add to rollouts.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Float64Array, Int32Array, Int64Array, ListArray,
    RecordBatch, StringArray, new_null_array,
};
use arrow::datatypes::{Field, Float64Type, Int64Type};

use crate::Result;
use crate::columns::Table;
use crate::credit::{Level, STEP, TOKEN, Unit};

/// Trees that columns may say: the level of the nodes, the column of their ids, the prefix of the others.
const TREES: [(&str, &str, &str); 2] =
    [("branch", "branch_nodes", "branch_"), ("step", "step_nodes", "step_node_")];

/// The tables of which [`node_rows`] and [`edge_rows`] give rows, where operators add these columns.
///
/// ```
/// use meed_operators::columns::Table;
/// use meed_operators::signals::{AddSignals, PrefixTree, TrajectoryGraph};
/// use meed_operators::tree::{Backup, tables_of};
/// let tree = PrefixTree { value: "reward".into(), backup: Backup::Leaves };
/// let graph = TrajectoryGraph { history: None, value: "reward".into() };
/// assert_eq!(tables_of(&tree.adds()), [Table::Nodes]);
/// assert_eq!(tables_of(&graph.adds()), [Table::Edges]);
/// ```
pub fn tables_of(added: &[Field]) -> Vec<Table> {
    let adds = |name: &str| added.iter().any(|field| field.name() == name);
    let nodes = TREES.iter().any(|(_, _, prefix)| adds(&format!("{prefix}parents")));
    let tables = [(Table::Nodes, nodes), (Table::Edges, adds("step_edges"))];
    tables.into_iter().filter(|(_, given)| *given).map(|(table, _)| table).collect()
}

/// A node, or an edge between two of them.
#[derive(Default)]
struct Row {
    from: Option<i64>,
    to: i64,
    depth: i32,
    text: [Option<String>; 2],
    span: (i32, i32),
    visits: Option<i64>,
    value: Option<f64>,
}

/// One row per node of the tree of every group, the root aside, as [`PrefixTree`] or [`GivenTree`] found it;
/// `None` where neither was applied. A node has the tokens, kind and text of the first rollout that passes
/// it.
///
/// [`PrefixTree`]: crate::signals::PrefixTree
/// [`GivenTree`]: crate::signals::GivenTree
///
/// # Errors
/// Spans that do not fit the rollouts.
pub fn node_rows(unit: &Unit) -> Result<Option<RecordBatch>> {
    let found = TREES.into_iter().find_map(|(level, ids, prefix)| {
        unit.list(&format!("{prefix}parents"))?;
        Some((Level::named(level), unit.list(ids)?, prefix))
    });
    let Some((level, ids, prefix)) = found else { return Ok(None) };
    let (spans, extent, tokens) = (unit.ranges(&level, &TOKEN)?, unit.extent(&level)?, unit.extent(&TOKEN)?);
    let list = |name: &str| unit.list(&format!("{prefix}{name}"));
    let (parents, depths, visits, values) = (list("parents"), list("depths"), list("visits"), list("values"));
    let own = |name: &str| unit.list(name).filter(|_| level == STEP);
    let (kinds, texts) = (own("step_kinds"), own("step_texts"));
    let node = |row: usize, element: usize, to: i64, span: (i32, i32)| Row {
        from: number::<Int64Type>(parents, row, element).filter(|&parent| parent >= 0),
        to,
        depth: number::<Int64Type>(depths, row, element).unwrap_or(0) as i32,
        text: [
            text(kinds, row, element).or_else(|| (level != STEP).then(|| level.name().to_owned())),
            text(texts, row, element),
        ],
        span,
        visits: number::<Int64Type>(visits, row, element),
        value: number::<Float64Type>(values, row, element),
    };
    let mut rows = Rows::default();
    for group in unit.groups().windows(2) {
        let mut nodes: BTreeMap<i64, Row> = BTreeMap::new();
        for row in (group[0]..group[1]).filter(|&row| ids.is_valid(row)) {
            let of_row = ids.value(row);
            // The node that this rollout, as the first, passes just now.
            let mut open = None;
            for (element, id) in of_row.as_primitive::<Int64Type>().iter().enumerate() {
                let Some(id) = id else { continue };
                let (start, end) = spans[extent.rows[row] + element];
                let span = ((start - tokens.rows[row]) as i32, (end - tokens.rows[row]) as i32);
                match nodes.get_mut(&id) {
                    Some(known) if open == Some(id) => known.span.1 = span.1,
                    Some(_) => open = None,
                    None => {
                        nodes.insert(id, node(row, element, id, span));
                        open = Some(id);
                    }
                }
            }
        }
        rows.add(unit, group[0], nodes.into_values());
    }
    rows.batch(Table::Nodes, |name, rows| match name {
        "node_id" => Some(Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.to)))),
        "parent_id" => Some(Arc::new(rows.iter().map(|row| row.from).collect::<Int64Array>())),
        "depth" => Some(Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.depth)))),
        "kind" => Some(Arc::new(rows.iter().map(|row| row.text[0].clone()).collect::<StringArray>())),
        "text" => Some(Arc::new(rows.iter().map(|row| row.text[1].clone()).collect::<StringArray>())),
        "token_start" => Some(Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.span.0)))),
        "token_end" => Some(Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.span.1)))),
        _ => None,
    })
}

/// One row per edge of the trajectory graph of every group, as [`TrajectoryGraph`] found it; `None` where it
/// was not applied. Edges that end a rollout have the target -1.
///
/// [`TrajectoryGraph`]: crate::signals::TrajectoryGraph
///
/// # Errors
/// None in practice: the columns are those that the operator adds.
pub fn edge_rows(unit: &Unit) -> Result<Option<RecordBatch>> {
    let list = |name: &str| unit.list(&format!("step_edge{name}"));
    let Some(ids) = list("s") else { return Ok(None) };
    let (sources, targets) = (list("_sources"), list("_targets"));
    let (visits, values, actions) = (list("_visits"), list("_values"), unit.list("step_actions"));
    let mut rows = Rows::default();
    for group in unit.groups().windows(2) {
        let mut edges: BTreeMap<i64, Row> = BTreeMap::new();
        for row in (group[0]..group[1]).filter(|&row| ids.is_valid(row)) {
            for (step, id) in ids.value(row).as_primitive::<Int64Type>().iter().enumerate() {
                let Some(id) = id else { continue };
                edges.entry(id).or_insert_with(|| Row {
                    from: number::<Int64Type>(sources, row, step),
                    to: number::<Int64Type>(targets, row, step).unwrap_or(-1),
                    text: [text(actions, row, step), None],
                    visits: number::<Int64Type>(visits, row, step),
                    value: number::<Float64Type>(values, row, step),
                    ..Row::default()
                });
            }
        }
        rows.add(unit, group[0], edges.into_values());
    }
    rows.batch(Table::Edges, |name, rows| match name {
        "source_id" => Some(Arc::new(rows.iter().map(|row| row.from).collect::<Int64Array>())),
        "target_id" => Some(Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.to)))),
        "action" => Some(Arc::new(rows.iter().map(|row| row.text[0].clone()).collect::<StringArray>())),
        _ => None,
    })
}

/// An element of a list of numbers, where there is one.
fn number<T: ArrowPrimitiveType>(list: Option<&ListArray>, row: usize, element: usize) -> Option<T::Native> {
    let list = list.filter(|list| list.is_valid(row))?.value(row);
    let numbers = list.as_primitive_opt::<T>()?;
    (element < numbers.len() && numbers.is_valid(element)).then(|| numbers.value(element))
}

/// An element of a list of texts, where there is one.
fn text(list: Option<&ListArray>, row: usize, element: usize) -> Option<String> {
    let list = list.filter(|list| list.is_valid(row))?.value(row);
    let texts = list.as_string_opt::<i32>()?;
    (element < texts.len() && texts.is_valid(element)).then(|| texts.value(element).to_owned())
}

/// Rows with the keys of their groups.
#[derive(Default)]
struct Rows {
    keys: Vec<(i64, String)>,
    rows: Vec<Row>,
}

impl Rows {
    fn add(&mut self, unit: &Unit, first: usize, rows: impl Iterator<Item = Row>) {
        self.rows.extend(rows);
        self.keys.resize(self.rows.len(), (unit.iteration(first), unit.group_id(first).to_owned()));
    }

    /// The rows of a table; `column` gives what differs between tables, and other columns are null.
    fn batch(
        self,
        table: Table,
        column: impl Fn(&str, &[Row]) -> Option<ArrayRef>,
    ) -> Result<Option<RecordBatch>> {
        let schema = table.schema();
        let (keys, rows) = (&self.keys, &self.rows);
        let columns = schema.fields().iter().map(|field| -> ArrayRef {
            match field.name().as_str() {
                "iteration" => Arc::new(Int64Array::from_iter_values(keys.iter().map(|key| key.0))),
                "group_id" => Arc::new(StringArray::from_iter_values(keys.iter().map(|key| &key.1))),
                "visits" => Arc::new(rows.iter().map(|row| row.visits).collect::<Int64Array>()),
                "value" => Arc::new(rows.iter().map(|row| row.value).collect::<Float64Array>()),
                name => column(name, rows).unwrap_or_else(|| new_null_array(field.data_type(), rows.len())),
            }
        });
        let columns: Vec<ArrayRef> = columns.collect();
        Ok(Some(RecordBatch::try_new(schema.clone(), columns)?))
    }
}
