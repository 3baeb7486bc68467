//! The object store under a catalog, and the Delta log of each dataset in it.

use std::sync::{Arc, OnceLock};

use deltalake_core::logstore::{LogStoreConfig, LogStoreRef, StorageConfig, default_logstore};
use deltalake_core::{DeltaTable, ObjectStore, Path};
use futures::TryStreamExt;
use meed_connectors::Location;
use meed_operators::{Error, Result};
use object_store::{Error as StoreError, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use url::Url;

use crate::errors::{delta_error, store_error};
use crate::runtime::block_on;

/// The place of all datasets of one catalog.
#[derive(Debug)]
pub(crate) struct Store {
    uri: String,
    root: Url,
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    safe: OnceLock<()>,
}

impl Store {
    /// Understands a directory, or a `file://`, `memory://`, `s3://`, `az://` or `gs://` URI.
    pub(crate) fn open(uri: &str) -> Result<Self> {
        let location = Location::parse(uri)?;
        let url = match location.local_path() {
            Some(path) => Url::from_directory_path(path).ok(),
            // A host is not part of a memory URL: all memory catalogs share one store.
            None if uri.starts_with("memory://") => {
                Url::parse(&format!("memory:///{}", location.path())).ok()
            }
            None => Url::parse(uri).ok(),
        };
        let mut root = url.ok_or_else(|| {
            Error::usage(
                format!("`{uri}` is not a catalog"),
                "name a directory, or a URI that begins with s3://, az://, gs:// or memory://",
            )
        })?;
        if !root.path().ends_with('/') {
            root.set_path(&format!("{}/", root.path()));
        }
        Ok(Store {
            uri: uri.trim_end_matches('/').to_owned(),
            root,
            objects: location.store().clone(),
            prefix: location.path().clone(),
            safe: OnceLock::new(),
        })
    }

    /// A store that the caller already has, from its directory `prefix` on.
    pub(crate) fn over(objects: Arc<dyn ObjectStore>, prefix: Path, uri: &str) -> Result<Self> {
        // The URL only names tables; all bytes go through the given store.
        let root = Url::parse(&format!("memory:///{prefix}/").replace("////", "///"))
            .map_err(|error| Error::external(format!("opening {uri}"), error, "choose another prefix"))?;
        Ok(Store { uri: uri.to_owned(), root, objects, prefix, safe: OnceLock::new() })
    }

    /// The catalog's URI as it was given.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    /// The store of all bytes, of which the catalog is one directory.
    pub(crate) fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.objects
    }

    /// True where the catalog is a directory of this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.root.scheme() == "file"
    }

    /// The directory of a dataset in [`Store::objects`].
    pub(crate) fn directory(&self, dataset: &str) -> Path {
        self.prefix.clone().join(dataset)
    }

    /// The Delta log of a dataset, which need not exist yet.
    pub(crate) fn log(&self, dataset: &str) -> Result<LogStoreRef> {
        let what = || format!("opening dataset {dataset} in {}", self.uri);
        let url = self
            .root
            .join(&format!("{dataset}/"))
            .map_err(|error| Error::external(what(), error, "check the catalog's URI"))?;
        let options = StorageConfig::default();
        let table = LogStoreConfig::new(&url, options.clone())
            .decorate_store(self.objects.clone(), None)
            .map_err(|error| delta_error(what(), error))?;
        Ok(default_logstore(Arc::from(table), self.objects.clone(), &url, &options))
    }

    /// The dataset at a version (the latest where `None`), or nothing where it does not exist.
    pub(crate) async fn table(&self, dataset: &str, version: Option<u64>) -> Result<Option<DeltaTable>> {
        let log = self.log(dataset)?;
        let what = || format!("opening dataset {dataset} in {}", self.uri);
        let exists = log.is_delta_table_location().await.map_err(|error| delta_error(what(), error))?;
        if !exists {
            return Ok(None);
        }
        let mut table = DeltaTable::new(log);
        let Some(version) = version else {
            table.load().await.map_err(|error| delta_error(what(), error))?;
            return Ok(Some(table));
        };
        let latest =
            table.log_store().get_latest_version(0).await.map_err(|error| delta_error(what(), error))?;
        if version > latest {
            return Err(Error::usage(
                format!("dataset {dataset} has no version {version}; the latest is {latest}"),
                format!("`meed history {dataset}` lists its versions"),
            ));
        }
        table
            .load_version(version)
            .await
            .map_err(|error| delta_error(format!("{}, version {version}", what()), error))?;
        Ok(Some(table))
    }

    /// Names of the directories that hold a Delta log, sorted.
    pub(crate) async fn names(&self) -> Result<Vec<String>> {
        let listed = match self.objects.list_with_delimiter(Some(&self.prefix)).await {
            Ok(listed) => listed,
            Err(StoreError::NotFound { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(store_error(format!("listing {}", self.uri), error)),
        };
        let mut names = Vec::new();
        for directory in listed.common_prefixes {
            let Some(name) = directory.filename().map(str::to_owned) else {
                continue;
            };
            if name.starts_with(['_', '.']) {
                continue;
            }
            let mut entries = self.objects.list(Some(&directory.clone().join("_delta_log")));
            let first = entries
                .try_next()
                .await
                .map_err(|error| store_error(format!("listing {}/{name}", self.uri), error))?;
            if first.is_some() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Makes sure, once, that the store refuses to overwrite where it is told not to.
    ///
    /// Commits are safe only then: of two writers of the same version, one must fail. Some servers
    /// that speak the S3 protocol accept both, and rows would be lost without a trace.
    pub(crate) fn check_safe_to_write(&self) -> Result<()> {
        if self.safe.get().is_some() {
            return Ok(());
        }
        block_on(check_conditional_put(&self.objects, &self.prefix, &self.uri))?;
        self.safe.get_or_init(|| ());
        Ok(())
    }
}

/// Creates one object twice; the second attempt has to be refused.
pub(crate) async fn check_conditional_put(
    objects: &Arc<dyn ObjectStore>,
    prefix: &Path,
    uri: &str,
) -> Result<()> {
    let probe = prefix.clone().join(format!("_meed-probe-{}", uuid::Uuid::new_v4()));
    let create = || {
        let options = PutOptions::from(PutMode::Create);
        objects.put_opts(&probe, PutPayload::from_static(b"probe"), options)
    };
    let first = create().await;
    let second = match &first {
        Ok(_) => Some(create().await),
        Err(_) => None,
    };
    if first.is_ok() {
        // A probe that cannot be removed is a few bytes of litter, not a reason to stop.
        let _ = objects.delete(&probe).await;
    }
    let refused = |why: &str| {
        Error::usage(
            format!(
                "{uri} does not support conditional put ({why}), so two writers could overwrite each other's commits"
            ),
            "use a store that honours `If-None-Match: *` on put, such as a current S3, GCS, Azure, MinIO or a local disk",
        )
    };
    match (first, second) {
        (Err(StoreError::NotImplemented { .. } | StoreError::NotSupported { .. }), _) => {
            Err(refused("it does not know it"))
        }
        (Err(error), _) => Err(store_error(format!("writing to {uri}"), error)),
        (Ok(_), Some(Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }))) => Ok(()),
        (Ok(_), Some(Err(error))) => Err(store_error(format!("writing to {uri}"), error)),
        (Ok(_), _) => Err(refused("it overwrote an object that it was told to create")),
    }
}
