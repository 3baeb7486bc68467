//! Where the rows of a run go: a dataset of the catalog, a file, or a sink of the caller's.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use meed_catalog::{Catalog, DatasetName, Lineage, table_name};
use meed_connectors::{Codec, FileSink, Location};
use meed_operators::columns::Table;
use meed_operators::engine::Sink;
use meed_operators::{Error, Result};

use crate::address::{Address, full_uri};

/// Where rows go.
pub(crate) enum Target {
    Address(Address),
    Sink(Arc<dyn Sink>),
}

impl Target {
    /// What tells it from others, in names of runs.
    pub(crate) fn identity(&self, catalog: &str) -> String {
        match self {
            Target::Address(Address::File(location)) => full_uri(location),
            Target::Address(Address::Dataset(name)) => format!("{catalog} {name}"),
            Target::Sink(sink) => sink.uri().to_owned(),
        }
    }

    /// The sink for rows of a table, and what to call it.
    pub(crate) fn open(
        &self,
        catalog: &str,
        table: Table,
        lineage: Lineage,
    ) -> Result<(Arc<dyn Sink>, String)> {
        match self {
            Target::Sink(sink) => Ok((sink.clone(), sink.uri().to_owned())),
            Target::Address(address) => sink(address, catalog, table, table.schema(), lineage),
        }
    }

    /// The sinks for rows of further tables, which lie beside: [`beside`]. A sink of the caller's takes
    /// one kind of rows only, so it has none.
    pub(crate) fn open_beside(
        &self,
        catalog: &str,
        tables: &[Table],
        lineage: &Lineage,
    ) -> Result<Vec<Beside>> {
        let Target::Address(address) = self else {
            return Ok(Vec::new());
        };
        let open = |&table: &Table| {
            let address = beside(address, table)?;
            let (sink, name) = sink(&address, catalog, table, table.schema(), lineage.clone())?;
            Ok(Beside { table, sink, name })
        };
        tables.iter().map(open).collect()
    }

    /// A target must be a file of a known format, and another one than the input.
    ///
    /// # Errors
    /// It is not; `rows` says what is written, and `tables` what beside it.
    pub(crate) fn refuse(&self, from: &Address, rows: &str, tables: &[Table]) -> Result<()> {
        let Target::Address(target @ Address::File(to)) = self else {
            return Ok(());
        };
        to.format()?;
        let mut written = vec![target.clone()];
        for table in tables {
            written.push(beside(target, *table)?);
        }
        let reads = |to: &Address| match (from, to) {
            (Address::File(from), Address::File(to)) => full_uri(from) == full_uri(to),
            _ => false,
        };
        match written.iter().any(reads) {
            true => Err(Error::usage(
                format!("{from} is both read and written"),
                format!("write the {rows} to another file; they refer to rollouts by id"),
            )),
            false => Ok(()),
        }
    }
}

/// Where rows of a table go beside the main ones of a run.
pub(crate) struct Beside {
    pub(crate) table: Table,
    pub(crate) sink: Arc<dyn Sink>,
    /// What to call it.
    pub(crate) name: String,
}

/// The sink of an address for rows of a table with these columns, and what to call it.
pub(crate) fn sink(
    address: &Address,
    catalog: &str,
    table: Table,
    schema: SchemaRef,
    lineage: Lineage,
) -> Result<(Arc<dyn Sink>, String)> {
    Ok(match address {
        Address::File(location) => {
            let sink = FileSink::new(location.clone(), location.format()?, schema, Codec::default());
            (Arc::new(sink.with_run(&lineage.run)), location.uri().to_owned())
        }
        Address::Dataset(name) => {
            let dataset = table_of(&name.name, table);
            let to = DatasetName { name: dataset.clone(), version: name.version };
            let sink = Catalog::open(catalog)?.sink(&to.to_string(), table, lineage)?;
            (Arc::new(sink), format!("dataset {dataset}"))
        }
    })
}

/// Where rows of a table lie beside an address: `x_nodes` beside dataset `x` or `x_advantages`, and
/// `x_nodes.parquet` beside file `x.parquet`.
///
/// # Errors
/// A file of an unknown format.
pub(crate) fn beside(address: &Address, table: Table) -> Result<Address> {
    Ok(match address {
        Address::Dataset(dataset) => {
            let kinds = Table::ALL.iter().filter(|kind| **kind != Table::Rollouts);
            let name = dataset.name.as_str();
            let mut plain = kinds.filter_map(|kind| name.strip_suffix(&table_name("", *kind)));
            let name = table_name(plain.next().unwrap_or(name), table);
            Address::Dataset(DatasetName { name, version: dataset.version })
        }
        Address::File(location) => {
            location.format()?;
            let (stem, extension) = location.uri().rsplit_once('.').unwrap_or((location.uri(), ""));
            Address::File(Location::parse(&format!("{}.{extension}", table_name(stem, table)))?)
        }
    })
}

/// The dataset of one kind of rows of a dataset; a name that is one already stays.
pub(crate) fn table_of(name: &str, table: Table) -> String {
    match name.ends_with(&table_name("", table)) {
        true => name.to_owned(),
        false => table_name(name, table),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_trees_lie_beside() {
        for (to, expected) in [
            ("game24", "game24_nodes"),
            ("game24_advantages", "game24_nodes"),
            ("out/x.parquet", "out/x_nodes.parquet"),
            ("memory://b/x.jsonl", "memory://b/x_nodes.jsonl"),
        ] {
            let address = Address::parse(to).expect("an address");
            assert_eq!(beside(&address, Table::Nodes).expect("an address").to_string(), expected);
        }
    }
}
