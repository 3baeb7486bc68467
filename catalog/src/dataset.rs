//! One dataset at one version.

use std::sync::Arc;

use deltalake_core::kernel::engine::arrow_conversion::TryIntoArrow;
use deltalake_core::{DeltaTable, ObjectStore, Path};
use meed_operators::columns::Table;
use meed_operators::{Error, Result};

use crate::arrow::datatypes::{Schema, SchemaRef};
use crate::history::{Commit, commits};
use crate::lineage::{CLUSTERED_BY_GROUP, CLUSTERED_PROPERTY, TABLE_PROPERTY};
use crate::names::table_of_name;
use crate::runtime::block_on;
use crate::store::Store;

/// A data file of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetFile {
    /// Path in the catalog's object store.
    pub path: Path,
    /// Size in bytes.
    pub size: u64,
    /// Rows, where the log says.
    pub rows: Option<u64>,
}

/// A dataset, loaded at one version; later commits do not change it.
#[derive(Debug, Clone)]
pub struct Dataset {
    name: String,
    version: u64,
    store: Arc<Store>,
    table: DeltaTable,
    schema: SchemaRef,
}

impl Dataset {
    pub(crate) fn new(name: &str, store: Arc<Store>, table: DeltaTable) -> Result<Self> {
        let what = || format!("opening dataset {name}");
        let state = table.snapshot().map_err(|error| crate::errors::delta_error(what(), error))?;
        let schema: Schema = state.schema().as_ref().try_into_arrow().map_err(|error| {
            Error::external(what(), error, "its schema has a type that Arrow does not have")
        })?;
        Ok(Dataset {
            name: name.to_owned(),
            version: state.version(),
            schema: Arc::new(schema),
            store,
            table: table.clone(),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// `name@version`: what to call it in lineage.
    pub fn uri(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// Changes when the content changes: the table's own id, and the version.
    pub fn fingerprint(&self) -> String {
        format!("{}@{}", self.id(), self.version)
    }

    fn id(&self) -> String {
        self.table.snapshot().map(|state| state.metadata().id().to_owned()).unwrap_or_default()
    }

    /// Its columns. List children are called `element`; text is Utf8.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// The kind of rows it holds, where meed wrote it or its name says so.
    pub fn table_kind(&self) -> Option<Table> {
        let named = self.property(TABLE_PROPERTY);
        Table::ALL
            .into_iter()
            .find(|table| Some(table.name()) == named.as_deref())
            .or_else(|| table_of_name(&self.name))
    }

    /// True where every commit so far kept the rows of a group together, by (iteration, group_id).
    pub fn is_clustered(&self) -> bool {
        self.property(CLUSTERED_PROPERTY).as_deref() == Some(CLUSTERED_BY_GROUP)
    }

    /// A property of the Delta table.
    pub fn property(&self, key: &str) -> Option<String> {
        let state = self.table.snapshot().ok()?;
        state.metadata().configuration().get(key).cloned()
    }

    /// Its data files in commit order, and inside a commit by epoch, worker and number.
    ///
    /// # Errors
    /// Files with deletion vectors, partition columns or mapped columns, which only other programs
    /// write: plain Parquet readers would see deleted rows, or miss columns.
    pub fn files(&self) -> Result<Vec<DatasetFile>> {
        let state = self
            .table
            .snapshot()
            .map_err(|error| crate::errors::delta_error(format!("opening {}", self.name), error))?;
        let partitions = state.metadata().partition_columns();
        if !partitions.is_empty() {
            return Err(Error::usage(
                format!(
                    "dataset {} is partitioned by {}, which meed cannot read as a stream",
                    self.uri(),
                    partitions.join(", ")
                ),
                "copy it first: `meed sql` reads it, `meed import parquet` writes a dataset of meed's own",
            ));
        }
        let mapping = self.property("delta.columnMapping.mode");
        if mapping.is_some_and(|mode| mode != "none") {
            return Err(Error::usage(
                format!(
                    "dataset {} maps its columns to other names inside its files, which meed cannot read as a stream",
                    self.uri()
                ),
                "copy it first: `meed sql` reads it, `meed import parquet` writes a dataset of meed's own",
            ));
        }
        let directory = self.store.directory(&self.name);
        let mut files = Vec::new();
        for view in state.log_data().iter() {
            if view.deletion_vector_descriptor().is_some() {
                return Err(Error::usage(
                    format!(
                        "dataset {}: file {} has a deletion vector, which meed cannot read as a stream",
                        self.uri(),
                        view.path()
                    ),
                    "rewrite the table without deletion vectors in the program that deleted rows (in Spark: REORG TABLE ... APPLY (PURGE))",
                ));
            }
            let relative = view.object_store_path();
            let path = Path::from_iter(directory.parts().chain(relative.parts()));
            let file = DatasetFile {
                path,
                size: u64::try_from(view.size()).unwrap_or_default(),
                rows: view.num_records().map(|rows| rows as u64),
            };
            files.push((view.modification_time(), file));
        }
        files.sort_by(|(a_time, a), (b_time, b)| (a_time, &a.path).cmp(&(b_time, &b.path)));
        Ok(files.into_iter().map(|(_, file)| file).collect())
    }

    /// Number of rows, where every file says how many it has.
    pub fn rows(&self) -> Option<u64> {
        let state = self.table.snapshot().ok()?;
        state.log_data().iter().map(|view| view.num_records().map(|rows| rows as u64)).sum()
    }

    /// Number and bytes of its data files.
    pub fn size(&self) -> (u64, u64) {
        let Ok(state) = self.table.snapshot() else {
            return (0, 0);
        };
        state.log_data().iter().fold((0, 0), |(files, bytes), view| {
            (files + 1, bytes + u64::try_from(view.size()).unwrap_or_default())
        })
    }

    /// When its version was committed, in milliseconds since 1970.
    pub fn updated(&self) -> Option<i64> {
        let newest = block_on(commits(&self.table, &self.name, |_| true)).ok()?;
        newest.first()?.timestamp
    }

    /// Its commits, newest first, down to the oldest that the log still has.
    pub fn history(&self) -> Result<Vec<Commit>> {
        block_on(commits(&self.table, &self.name, |_| false))
    }

    /// The store that holds its files.
    pub fn object_store(&self) -> Arc<dyn ObjectStore> {
        self.store.objects().clone()
    }

    /// True where its files lie on this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.store.is_local()
    }

    pub(crate) fn delta(&self) -> &DeltaTable {
        &self.table
    }
}
