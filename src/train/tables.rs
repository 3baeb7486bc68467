//! The tables that a training run writes, in the order in which they are committed.

use std::sync::Arc;

use meed_catalog::{Catalog, Lineage, table_name};
use meed_operators::columns::Table;
use meed_operators::engine::{Sink, Tables};
use meed_operators::{Error, Result};
#[cfg(doc)]
use meed_pipelines::Plan;

/// Scores, nodes and edges come before the rollouts that they belong to, so that whoever finds rollouts of an
/// epoch finds everything that was sampled; `updates` comes last, and its version is the run's progress.
const ORDER: [Table; 6] =
    [Table::Scores, Table::Nodes, Table::Edges, Table::Rollouts, Table::Advantages, Table::Updates];

/// The tables of a training run, as one sink: `<dataset>`, `<dataset>_scores`, `_nodes`, `_advantages` and
/// `_updates`, and `_edges` where `beside`, the tables of which the recipe gives rows ([`Plan::tables`]), has
/// them.
///
/// # Errors
/// A dataset that another run has written: two runs in one dataset would repeat its keys.
pub fn training_tables(
    catalog: &Catalog,
    dataset: &str,
    lineage: &Lineage,
    beside: &[Table],
) -> Result<Arc<dyn Sink>> {
    let mut tables: Vec<(Table, Arc<dyn Sink>)> = Vec::new();
    for table in ORDER.into_iter().filter(|table| *table != Table::Edges || beside.contains(table)) {
        let name = table_name(dataset, table);
        refuse_other_runs(catalog, &name, lineage)?;
        let sink = catalog.sink(&name, table, lineage.clone())?;
        // Rows of `updates` have no group.
        let sink = if table == Table::Updates { sink.unclustered() } else { sink };
        tables.push((table, Arc::new(sink)));
    }
    Ok(Arc::new(Tables::new(tables)?))
}

fn refuse_other_runs(catalog: &Catalog, name: &str, lineage: &Lineage) -> Result<()> {
    let Some(dataset) = catalog.find(name)? else { return Ok(()) };
    let other = dataset
        .history()?
        .into_iter()
        .filter_map(|commit| commit.lineage)
        .find(|written| written.run != lineage.run);
    match other {
        None => Ok(()),
        Some(other) => Err(Error::usage(
            format!("dataset {name} holds the run of another command: {}", other.command),
            "name a new dataset with --to, or repeat that command to continue it",
        )),
    }
}
