//! Counts that the workers of a process add up together, summed over all processes.

use std::sync::Mutex;

use meed_operators::engine::Session;
use meed_operators::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Sums the counts of all processes: the first of a process's workers to ask takes its counts.
///
/// # Errors
/// The fault that ended the run.
pub(super) fn share_counts<T>(
    session: &mut Session,
    mine: &Mutex<Vec<T>>,
    merge: impl Fn(&mut T, T),
) -> Result<Vec<T>>
where
    T: Clone + Default + Serialize + DeserializeOwned,
{
    let broken = |error: serde_json::Error| Error::external("share the counts", error, "");
    let taken = match mine.lock() {
        Ok(mut counts) => {
            let fresh = vec![T::default(); counts.len()];
            std::mem::replace(&mut *counts, fresh)
        }
        Err(_) => Vec::new(),
    };
    let mut whole: Vec<T> = Vec::new();
    for part in session.share(&serde_json::to_vec(&taken).map_err(broken)?)? {
        let part: Vec<T> = serde_json::from_slice(&part).map_err(broken)?;
        whole.resize(whole.len().max(part.len()), T::default());
        for (sum, counts) in whole.iter_mut().zip(part) {
            merge(sum, counts);
        }
    }
    Ok(whole)
}
