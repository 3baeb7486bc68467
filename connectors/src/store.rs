//! Places of files: paths and URIs, and what format a file has.

use std::io::BufReader;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use futures::TryStreamExt;
use meed_operators::{Error, Result};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;

use crate::blocking;
use crate::stored_bytes::StoredBytes;

/// What a file holds, told by its extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Parquet: `.parquet`.
    Parquet,
    /// One JSON object a line: `.jsonl`, `.ndjson`; `.json` where an importer reads it.
    JsonLines,
    /// Arrow IPC, file or stream: `.arrow`, `.ipc`.
    Arrow,
}

impl Format {
    /// The format that a file name's extension stands for.
    ///
    /// ```
    /// use meed_connectors::Format;
    /// assert_eq!(Format::of("s3://bucket/a.ndjson"), Some(Format::JsonLines));
    /// assert_eq!(Format::of("rollouts"), None);
    /// ```
    pub fn of(name: &str) -> Option<Format> {
        let (_, extension) = name.rsplit('/').next()?.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "parquet" => Some(Format::Parquet),
            "jsonl" | "ndjson" | "json" => Some(Format::JsonLines),
            "arrow" | "ipc" => Some(Format::Arrow),
            _ => None,
        }
    }

    /// The extension that files of this format get.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::JsonLines => "jsonl",
            Format::Arrow => "arrow",
        }
    }
}

/// A file, or a directory of files, on this machine or in an object store.
#[derive(Debug, Clone)]
pub struct Location {
    store: Arc<dyn ObjectStore>,
    path: Path,
    uri: String,
    local: Option<PathBuf>,
    pattern: Option<String>,
}

impl Location {
    /// Understands a path, or a `file://`, `memory://`, `s3://`, `az://` or `gs://` URI. The last
    /// part may have `*` and `?`, for [`Location::files`]. Credentials and endpoints come from the
    /// environment (`AWS_*`, `AZURE_*`, `GOOGLE_*`). `memory://` is one store for the process.
    ///
    /// # Errors
    /// A URI of an unknown kind, or a store that refuses its settings.
    pub fn parse(text: &str) -> Result<Self> {
        let (folder, name) = text.rsplit_once('/').map_or(("", text), |(f, n)| (f, n));
        if name.contains(['*', '?']) {
            let folder = match folder {
                "" if text.starts_with('/') => "/",
                "" => ".",
                folder => folder,
            };
            let mut location = Location::parse(folder)?;
            location.pattern = Some(name.to_owned());
            location.uri = text.to_owned();
            return Ok(location);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Location::on_this_machine(PathBuf::from(text), text);
        };
        match scheme {
            "memory" => {
                static MEMORY: OnceLock<Arc<InMemory>> = OnceLock::new();
                let store = MEMORY.get_or_init(|| Arc::new(InMemory::new())).clone();
                Ok(Location::stored(store, Path::from(rest), text))
            }
            "file" => {
                let path = Url::parse(text).ok().and_then(|url| url.to_file_path().ok());
                let path = path.ok_or_else(|| unknown(text, "not the URI of a local file"))?;
                Location::on_this_machine(path, text)
            }
            _ => {
                let url = Url::parse(text).map_err(|error| unknown(text, &error.to_string()))?;
                let (store, path) = object_store::parse_url_opts(&url, store_settings())
                    .map_err(|error| unknown(text, &error.to_string()))?;
                Ok(Location::stored(Arc::from(store), path, text))
            }
        }
    }

    /// A path inside a store that the caller already has, called `uri` in messages.
    pub fn stored(store: Arc<dyn ObjectStore>, path: Path, uri: impl Into<String>) -> Self {
        Location { store, path, uri: uri.into(), local: None, pattern: None }
    }

    fn on_this_machine(path: PathBuf, text: &str) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| unknown(text, &error.to_string());
        let mut absolute = std::path::absolute(&path).map_err(|error| failed(&error))?;
        if let (Some(folder), Some(name)) = (absolute.parent(), absolute.file_name())
            && let Ok(folder) = folder.canonicalize()
        {
            absolute = folder.join(name);
        }
        Ok(Location {
            store: Arc::new(LocalFileSystem::new()),
            path: Path::from_absolute_path(&absolute).map_err(|error| failed(&error))?,
            uri: text.to_owned(),
            local: Some(absolute),
            pattern: None,
        })
    }

    /// The store that holds it.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Where it lies in its store.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What to call it in messages and lineage: the text that was parsed.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Its absolute path, where it lies on this machine.
    pub fn local_path(&self) -> Option<&std::path::Path> {
        self.local.as_deref()
    }

    /// Its format, by its extension.
    ///
    /// # Errors
    /// An extension that is not known.
    pub fn format(&self) -> Result<Format> {
        Format::of(&self.uri).ok_or_else(|| {
            Error::usage(
                format!("the format of {} is not known", self.uri),
                "name a file that ends in .parquet, .jsonl or .arrow",
            )
        })
    }

    /// The file itself; or every `*.parquet` file below the directory; or the files that match the
    /// pattern of the last part of the path. Sorted by path.
    ///
    /// # Errors
    /// Nothing is there, or the store fails.
    pub fn files(&self) -> Result<Vec<Location>> {
        if self.pattern.is_none() && self.size().is_ok() {
            return Ok(vec![self.clone()]);
        }
        let (store, path, uri) = (self.store.clone(), self.path.clone(), self.uri.clone());
        let objects: Vec<Path> = blocking::wait(&self.uri, async move {
            let listed = store.list(Some(&path)).map_ok(|meta| meta.location);
            listed.try_collect().await.map_err(|error| failed("listing", &uri, error))
        })?;
        let base = self.path.as_ref().len();
        let mut found: Vec<Location> = objects
            .into_iter()
            .filter(|path| {
                let below = path.as_ref()[base..].trim_start_matches('/');
                match &self.pattern {
                    Some(pattern) => matches(pattern.as_bytes(), below.as_bytes()),
                    None => {
                        below.ends_with(".parquet")
                            && !below.split('/').any(|part| part.starts_with(['_', '.']))
                    }
                }
            })
            .map(|path| self.sibling(path))
            .collect();
        found.sort_by(|a, b| a.path.cmp(&b.path));
        if found.is_empty() {
            return Err(Error::usage(
                format!("no file at {}", self.uri),
                "check the path; a directory needs files that end in .parquet",
            ));
        }
        Ok(found)
    }

    /// The file's size in bytes.
    ///
    /// # Errors
    /// There is no such file, or the store fails.
    pub fn size(&self) -> Result<u64> {
        Ok(self.stamp()?.0)
    }

    /// Size in bytes, and a text that changes with the content: time of modification and tag.
    pub(crate) fn stamp(&self) -> Result<(u64, String)> {
        let (store, path, uri) = (self.store.clone(), self.path.clone(), self.uri.clone());
        let meta = blocking::wait(&self.uri, async move {
            let meta = store.head(&path).await;
            meta.map_err(|error| failed("opening", &uri, error))
        })?;
        let changed = meta.last_modified.timestamp_nanos_opt().unwrap_or_default();
        let tag = meta.e_tag.unwrap_or_default();
        Ok((meta.size, format!("{} {changed} {tag}", meta.size)))
    }

    /// Opens the file to be read from its begin; never the whole file is in memory.
    pub(crate) fn open(&self) -> Result<Box<dyn std::io::BufRead + Send>> {
        if let Some(local) = &self.local {
            let file = std::fs::File::open(local)
                .map_err(|error| crate::store::failed("opening", &self.uri, error))?;
            return Ok(Box::new(BufReader::with_capacity(1 << 18, file)));
        }
        let reader = StoredBytes::open(self)?;
        Ok(Box::new(BufReader::with_capacity(1 << 16, reader)))
    }

    /// Another object of the same store.
    fn sibling(&self, path: Path) -> Location {
        let local = self.local.as_ref().and_then(|_| LocalFileSystem::new().path_to_filesystem(&path).ok());
        let shown = match &self.pattern {
            Some(pattern) => self.uri.strip_suffix(pattern.as_str()).unwrap_or(&self.uri),
            None => &self.uri,
        };
        let root = shown.trim_end_matches('/').strip_suffix(self.path.as_ref());
        let uri = match (&local, root) {
            (Some(local), _) => local.display().to_string(),
            (None, Some(root)) => format!("{root}{path}"),
            (None, None) => path.to_string(),
        };
        Location { store: self.store.clone(), path, uri, local, pattern: None }
    }
}

/// Settings of object stores from the environment. Only the stores' own prefixes: the settings are
/// also known by bare names, and a stray `REGION` or `TOKEN` is not meant for them.
fn store_settings() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
        let known = ["AWS_", "AZURE_", "GOOGLE_"];
        known.iter().any(|prefix| name.starts_with(prefix)).then_some((name, value))
    })
}

/// True where `name` fits a pattern in which `*` stands for any text inside one part of a path and
/// `?` for one byte.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.first(), name.first()) {
        (None, None) => true,
        (Some(b'*'), _) => {
            matches(&pattern[1..], name)
                || name.first().is_some_and(|byte| *byte != b'/' && matches(pattern, &name[1..]))
        }
        (Some(b'?'), Some(byte)) if *byte != b'/' => matches(&pattern[1..], &name[1..]),
        (Some(want), Some(got)) if want == got => matches(&pattern[1..], &name[1..]),
        _ => false,
    }
}

fn unknown(text: &str, message: &str) -> Error {
    Error::usage(
        format!("{text}: {message}"),
        "name a path or a file://, memory://, s3://, az:// or gs:// URI; settings of stores come \
         from AWS_*, AZURE_* and GOOGLE_* variables",
    )
}

/// A store or the file system that failed while `doing` something to `uri`.
pub(crate) fn failed(
    doing: &str,
    uri: &str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::external(format!("{doing} {uri}"), error, "check that it exists and that this user may access it")
}
