//! Rows that were left out, as lines of a reject file.

use meed_connectors::{Reject, Rejects};
use meed_operators::columns::Rejection;
use meed_operators::{Error, Result};

/// Adds rows that broke an invariant to the rejected lines. Rows count from 1, as lines do.
pub(crate) fn keep(rows: Vec<Rejection>, rejects: &Rejects) -> Result<()> {
    for Rejection { row, error } in rows {
        let (file, reason) = match error {
            Error::Data { place, message, .. } => {
                let rollout = place.rollout.map(|id| format!("rollout {id}: "));
                let column = place.column.map(|name| format!("column {name}: "));
                let parts = [rollout.unwrap_or_default(), column.unwrap_or_default(), message];
                (place.file.unwrap_or_default(), parts.concat())
            }
            other => (String::new(), other.to_string()),
        };
        rejects.add(Reject { file, line: row + 1, reason, text: String::new() })?;
    }
    Ok(())
}
