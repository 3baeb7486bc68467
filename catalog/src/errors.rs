//! Failures of Delta and object stores as meed's errors.

use deltalake_core::{DeltaTableError, ObjectStoreError};
use meed_operators::Error;

/// A failure of Delta while meed was doing `what` to a dataset.
pub(crate) fn delta_error(what: String, error: DeltaTableError) -> Error {
    let hint = match &error {
        DeltaTableError::Transaction { .. } | DeltaTableError::VersionAlreadyExists(_) => {
            "another program changed the dataset at the same time; run the same command again"
        }
        DeltaTableError::NotATable(_) | DeltaTableError::InvalidTableLocation(_) => {
            "`meed datasets` lists the datasets of the catalog"
        }
        DeltaTableError::ObjectStore { source } => {
            return store_error_with(what, source, error.to_string());
        }
        DeltaTableError::InvalidJsonLog { .. } | DeltaTableError::InvalidVersion(_) => {
            "the transaction log is damaged or incomplete; restore `_delta_log` from a backup"
        }
        _ => "",
    };
    Error::external(what, error, hint)
}

/// A failure of an object store while meed was doing `what`.
pub(crate) fn store_error(what: String, error: ObjectStoreError) -> Error {
    let text = error.to_string();
    store_error_with(what, &error, text)
}

fn store_error_with(what: String, error: &ObjectStoreError, text: String) -> Error {
    let hint = match error {
        ObjectStoreError::NotFound { .. } => "the file is gone; was it removed by another program?",
        ObjectStoreError::PermissionDenied { .. } | ObjectStoreError::Unauthenticated { .. } => {
            "check the credentials in the environment and the rights on the location"
        }
        _ => "check that the store can be reached and has room",
    };
    Error::external(what, text, hint)
}
