//! Where rows are read or written: a dataset of the catalog, or a file.

use std::fmt;

use meed_catalog::DatasetName;
use meed_connectors::{Format, Location};
use meed_operators::Result;

/// A dataset by name, or a file by path or URI.
#[derive(Debug, Clone)]
pub enum Address {
    /// A dataset of the catalog, with `@version` where an old one is meant.
    Dataset(DatasetName),
    /// A file, a directory of Parquet files or a pattern, here or in an object store.
    File(Location),
}

impl Address {
    /// Reads a path or URI (anything with `/`, or with the extension of a known format) as a file,
    /// and everything else as the name of a dataset.
    ///
    /// ```
    /// use meed::Address;
    /// assert!(matches!(Address::parse("gsm8k@3")?, Address::Dataset(_)));
    /// assert!(matches!(Address::parse("out.parquet")?, Address::File(_)));
    /// assert!(matches!(Address::parse("memory://bucket/rollouts")?, Address::File(_)));
    /// # Ok::<(), meed::Error>(())
    /// ```
    ///
    /// # Errors
    /// A name that no dataset can have, or a URI of an unknown kind.
    pub fn parse(text: &str) -> Result<Self> {
        if text.contains('/') || Format::of(text).is_some() {
            return Location::parse(text).map(Address::File);
        }
        DatasetName::parse(text).map(Address::Dataset)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Dataset(name) => name.fmt(f),
            Address::File(location) => f.write_str(location.uri()),
        }
    }
}

/// What to call a file in lineage: its absolute path where it lies on this machine, else its URI.
pub(crate) fn full_uri(location: &Location) -> String {
    let is_pattern = location.uri().contains(['*', '?']);
    match location.local_path() {
        Some(path) if !is_pattern => path.display().to_string(),
        _ => location.uri().to_owned(),
    }
}
