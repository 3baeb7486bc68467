//! What tells one content of a file from another.

use std::fs::File;
use std::io::Read;

use meed_catalog::runtime::block_on;
use meed_connectors::Location;
use meed_operators::{Error, Result};
use object_store::ObjectStoreExt;
use twox_hash::XxHash3_128;

/// The hash of a file's bytes where it lies on this machine, so that a copy or a touched file stays
/// the same; else the store's size, time and tag.
pub(crate) fn of_file(location: &Location) -> Result<String> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::external(
            format!("opening {}", location.uri()),
            error,
            "check that it exists and that this user may access it",
        )
    };
    if let Some(path) = location.local_path() {
        return of_bytes(File::open(path).map_err(|error| failed(error.into()))?)
            .map_err(|error| failed(error.into()));
    }
    block_on(async {
        let meta = location.store().head(location.path()).await;
        let meta = meta.map_err(|error| failed(error.into()))?;
        let tag = meta.e_tag.unwrap_or_default();
        Ok(format!("{} {} {tag}", meta.size, meta.last_modified.to_rfc3339()))
    })
}

fn of_bytes(mut input: impl Read) -> std::io::Result<String> {
    let mut hasher = XxHash3_128::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match input.read(&mut buffer)? {
            0 => return Ok(format!("xxh3:{:032x}", hasher.finish_128())),
            read => hasher.write(&buffer[..read]),
        }
    }
}
