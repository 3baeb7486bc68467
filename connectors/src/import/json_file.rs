//! Files that are one JSON document.

use std::io::Read;

use meed_operators::{Error, Place, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::store::{Location, failed};

/// The document in a file, all of it in memory. `holds` says what is in it.
///
/// # Errors
/// A file that cannot be read, or that holds something else. It is of no use at all then, so this is no
/// error of a row.
pub(super) fn json_file<T: DeserializeOwned>(input: &Location, holds: &str, hint: &str) -> Result<T> {
    let mut bytes = Vec::new();
    let mut reader = input.open()?;
    reader.read_to_end(&mut bytes).map_err(|error| failed("reading", input.uri(), error))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::external(format!("reading the {holds} in {}", input.uri()), error, hint))
}

/// A part of such a document, in the shape that its format has.
///
/// # Errors
/// Another shape; `what` says what it should be.
pub(super) fn shaped<T: DeserializeOwned>(value: Value, place: &Place, what: &str, hint: &str) -> Result<T> {
    serde_json::from_value(value)
        .map_err(|error| Error::data(place.clone(), format!("this is not {what}: {error}"), hint))
}
