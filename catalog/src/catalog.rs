//! A catalog: one URI with one Delta table per dataset.

use std::sync::Arc;

use deltalake_core::{ObjectStore, Path};
use meed_operators::columns::Table;
use meed_operators::{Error, Result};

use crate::dataset::Dataset;
use crate::delta_sink::DeltaSink;
use crate::history::Commit;
use crate::lineage::Lineage;
use crate::names::{DatasetName, near_names};
use crate::runtime::block_on;
use crate::store::Store;

/// What `meed datasets` says about a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetInfo {
    /// Name.
    pub name: String,
    /// Kind of rows, where known.
    pub table: Option<Table>,
    /// Latest version.
    pub version: u64,
    /// Rows, where every file says how many it has.
    pub rows: Option<u64>,
    /// Data files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Time of the latest commit, in milliseconds since 1970.
    pub updated: Option<i64>,
}

/// All datasets under one URI. Cheap to clone.
///
/// Its methods block, and may be called from any thread.
#[derive(Debug, Clone)]
pub struct Catalog {
    pub(crate) store: Arc<Store>,
}

impl Catalog {
    /// Opens the catalog at a directory, or at an `s3://`, `az://`, `gs://` or `memory://` URI.
    /// It need not exist: the first write makes it. Credentials come from the environment
    /// (`AWS_*`, `AZURE_*`, `GOOGLE_*`). Memory catalogs are shared in the process.
    ///
    /// # Errors
    /// A URI of an unknown kind, or a store that refuses its settings.
    pub fn open(uri: &str) -> Result<Self> {
        Ok(Catalog { store: Arc::new(Store::open(uri)?) })
    }

    /// Opens a catalog in a store that the caller already has, below `prefix`, and called `uri` in
    /// messages: for stores with settings of their own, and for tests that make stores fail.
    ///
    /// # Errors
    /// A prefix that cannot be part of a URL.
    pub fn over(store: Arc<dyn ObjectStore>, prefix: Path, uri: &str) -> Result<Self> {
        Ok(Catalog { store: Arc::new(Store::over(store, prefix, uri)?) })
    }

    /// The URI it was opened with.
    pub fn uri(&self) -> &str {
        self.store.uri()
    }

    /// Names of all datasets, sorted.
    pub fn names(&self) -> Result<Vec<String>> {
        block_on(self.store.names())
    }

    /// All datasets, by name.
    ///
    /// # Errors
    /// A store that fails, or a dataset whose log cannot be read; the error names it.
    pub fn datasets(&self) -> Result<Vec<DatasetInfo>> {
        self.names()?
            .into_iter()
            .map(|name| {
                let dataset = self.dataset(&name)?;
                let (files, bytes) = dataset.size();
                Ok(DatasetInfo {
                    table: dataset.table_kind(),
                    version: dataset.version(),
                    rows: dataset.rows(),
                    files,
                    bytes,
                    updated: dataset.updated(),
                    name,
                })
            })
            .collect()
    }

    /// A dataset by `name`, or at a version by `name@version`.
    ///
    /// # Errors
    /// There is no such dataset (the hint lists near names) or version.
    pub fn dataset(&self, name: &str) -> Result<Dataset> {
        self.find(name)?.ok_or_else(|| self.no_dataset(name))
    }

    /// The same, or nothing where the dataset does not exist.
    pub fn find(&self, name: &str) -> Result<Option<Dataset>> {
        let wanted = DatasetName::parse(name)?;
        let table = block_on(self.store.table(&wanted.name, wanted.version))?;
        table.map(|table| Dataset::new(&wanted.name, self.store.clone(), table)).transpose()
    }

    /// The commits of a dataset, newest first.
    pub fn history(&self, name: &str) -> Result<Vec<Commit>> {
        self.dataset(name)?.history()
    }

    /// Where to write the rows of one dataset; see [`DeltaSink`]. The dataset need not exist.
    ///
    /// # Errors
    /// A name that is none or carries a version; a store that cannot be written safely.
    pub fn sink(&self, name: &str, table: Table, lineage: Lineage) -> Result<DeltaSink> {
        let target = DatasetName::parse(name)?;
        if target.version.is_some() {
            return Err(Error::usage(
                format!("`{name}` is an old version, which cannot be written"),
                format!("write to `{}`", target.name),
            ));
        }
        DeltaSink::open(self.store.clone(), &target.name, table, lineage)
    }

    pub(crate) fn no_dataset(&self, name: &str) -> Error {
        let known = self.names().unwrap_or_default();
        let near = near_names(name, known.iter().map(String::as_str));
        let hint = if !near.is_empty() {
            format!("did you mean {}?", near.join(", "))
        } else if known.is_empty() {
            "the catalog is empty; `meed import` fills it, `--catalog` names another".to_owned()
        } else {
            "`meed datasets` lists what there is".to_owned()
        };
        Error::usage(format!("no dataset `{name}` in {}", self.uri()), hint)
    }
}
