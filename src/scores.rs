//! Scores that are stored already, in datasets and files.

use std::sync::Arc;

use meed_catalog::runtime::block_on;
use meed_catalog::{Catalog, Input, open_source};
use meed_connectors::parquet_source::SLICE_BYTES;
use meed_connectors::{Location, ReadOptions, read_batches_with};
use meed_operators::columns::Table;
use meed_operators::engine::{Batches, Source};
use meed_operators::{Error, Result};
use meed_pipelines::stored::ScoreIndex;
use object_store::ObjectStoreExt;

use crate::address::{Address, full_uri};
use crate::target::table_of;

/// The rows of a scores table, in the order of its commits, and how lineage calls it.
pub(crate) struct Scores {
    pub(crate) input: Input,
    pub(crate) batches: Batches,
}

impl Scores {
    /// Opens a scores table: `x_scores`, also under the name `x`, or a file.
    ///
    /// # Errors
    /// It does not exist, or cannot be read.
    pub(crate) fn open(address: &Address, catalog: &Catalog) -> Result<Self> {
        match address {
            Address::File(location) => {
                let options = ReadOptions { table: Table::Scores, ..ReadOptions::default() };
                let (_, batches) = read_batches_with(location, location.format()?, &options)?;
                let input = Input {
                    uri: full_uri(location),
                    fingerprint: crate::fingerprint::of_file(location)?,
                    ..Input::default()
                };
                Ok(Scores { input, batches })
            }
            Address::Dataset(name) => {
                let mut table = name.clone();
                table.name = table_of(&name.name, Table::Scores);
                let dataset = catalog.dataset(&table.to_string())?;
                let input = Input {
                    uri: dataset.uri(),
                    version: Some(dataset.version()),
                    fingerprint: dataset.fingerprint(),
                    slices: None,
                };
                let source: Arc<dyn Source> = Arc::new(open_source(&dataset, SLICE_BYTES)?);
                Ok(Scores { input, batches: rows(source) })
            }
        }
    }

    /// The same, or nothing where there is no such table yet.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn find(address: &Address, catalog: &Catalog) -> Result<Option<Self>> {
        let exists = match address {
            Address::File(location) => exists(location)?,
            Address::Dataset(name) => catalog.find(&table_of(&name.name, Table::Scores))?.is_some(),
        };
        exists.then(|| Self::open(address, catalog)).transpose()
    }
}

fn exists(location: &Location) -> Result<bool> {
    if let Some(path) = location.local_path() {
        return Ok(path.exists());
    }
    block_on(async {
        match location.store().head(location.path()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(Error::external(
                format!("looking for {}", location.uri()),
                error,
                "check that this user may access it",
            )),
        }
    })
}

/// All rows of a source, slice after slice.
fn rows(source: Arc<dyn Source>) -> Batches {
    let columns: Vec<String> = Table::Scores.columns().iter().map(|column| column.name.to_owned()).collect();
    let present: Vec<String> =
        columns.into_iter().filter(|name| source.schema().column_with_name(name).is_some()).collect();
    Box::new((0..source.slices()).flat_map(move |slice| -> Batches {
        match source.read(slice, &present) {
            Ok(batches) => batches,
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }))
}

/// Scores of several tables as one index, later ones before earlier ones, and how lineage calls them.
///
/// # Errors
/// See [`Scores::open`]; a table without any score.
pub(crate) fn index(addresses: &[Address], catalog: &Catalog) -> Result<(ScoreIndex, Vec<Input>)> {
    let (mut index, mut inputs) = (ScoreIndex::default(), Vec::new());
    for address in addresses {
        let Scores { input, batches } = Scores::open(address, catalog)?;
        let before = index.names().len();
        index.add(batches).map_err(|error| error.in_file(&input.uri))?;
        if index.names().len() == before && before == 0 {
            return Err(Error::usage(
                format!("{} has no scores", input.uri),
                "`meed judge --to <dataset>` writes them",
            ));
        }
        inputs.push(input);
    }
    Ok((index, inputs))
}
