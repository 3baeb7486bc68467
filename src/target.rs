//! Where the rows of a run go: a dataset of the catalog, a file, or a sink of the caller's.

use std::sync::Arc;

use meed_catalog::{Catalog, DatasetName, Lineage, table_name};
use meed_connectors::{Codec, FileSink};
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
        Ok(match self {
            Target::Sink(sink) => (sink.clone(), sink.uri().to_owned()),
            Target::Address(Address::File(location)) => {
                let format = location.format()?;
                let sink = FileSink::new(location.clone(), format, table.schema(), Codec::default());
                (Arc::new(sink.with_run(&lineage.run)), location.uri().to_owned())
            }
            Target::Address(Address::Dataset(name)) => {
                let dataset = table_of(&name.name, table);
                let to = DatasetName { name: dataset.clone(), version: name.version };
                let catalog = Catalog::open(catalog)?;
                let sink = catalog.sink(&to.to_string(), table, lineage)?;
                (Arc::new(sink), format!("dataset {dataset}"))
            }
        })
    }

    /// A target must be a file of a known format, and another one than the input.
    ///
    /// # Errors
    /// It is not; `rows` says what is written.
    pub(crate) fn refuse(&self, from: &Address, rows: &str) -> Result<()> {
        let Target::Address(Address::File(to)) = self else {
            return Ok(());
        };
        to.format()?;
        match from {
            Address::File(from) if full_uri(from) == full_uri(to) => Err(Error::usage(
                format!("{} is both read and written", from.uri()),
                format!("write the {rows} to another file; they refer to rollouts by id"),
            )),
            _ => Ok(()),
        }
    }
}

/// The dataset of one kind of rows of a dataset; a name that is one already stays.
pub(crate) fn table_of(name: &str, table: Table) -> String {
    match name.ends_with(&table_name("", table)) {
        true => name.to_owned(),
        false => table_name(name, table),
    }
}
