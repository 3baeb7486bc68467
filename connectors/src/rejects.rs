//! Lines that could not be read, kept apart with their reasons.

pub use meed_operators::columns::OnError;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meed_operators::Result;
use serde::Serialize;

use crate::store::failed;

/// A line that was not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reject {
    /// The file.
    pub file: String,
    /// Number of the line, from 1.
    pub line: u64,
    /// Why it was not read.
    pub reason: String,
    /// The line, with bytes that are not UTF-8 replaced.
    pub text: String,
}

/// Collects rejected lines; copies share one collection. By default the first 1,000 stay in
/// memory; [`Rejects::into_file`] writes all of them to a file.
#[derive(Debug, Clone, Default)]
pub struct Rejects(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    count: u64,
    first: Vec<Reject>,
    path: Option<PathBuf>,
    file: Option<BufWriter<File>>,
}

const KEPT_IN_MEMORY: usize = 1000;

impl Rejects {
    /// A collection that writes every rejected line to a file of JSON Lines. The file is made when
    /// the first line is rejected.
    pub fn into_file(path: impl AsRef<Path>) -> Self {
        let kept = Kept { path: Some(path.as_ref().to_owned()), ..Kept::default() };
        Rejects(Arc::new(Mutex::new(kept)))
    }

    /// How many lines were rejected.
    pub fn count(&self) -> u64 {
        self.kept().count
    }

    /// The first rejected lines, at most 1,000.
    pub fn first(&self) -> Vec<Reject> {
        self.kept().first.clone()
    }

    /// Adds a line.
    ///
    /// # Errors
    /// The reject file cannot be written.
    pub fn add(&self, reject: Reject) -> Result<()> {
        let mut kept = self.kept();
        kept.count += 1;
        if let Some(path) = kept.path.clone() {
            let name = path.display().to_string();
            let failed = |error: std::io::Error| failed("writing", &name, error);
            if kept.file.is_none() {
                kept.file = Some(BufWriter::new(File::create(&path).map_err(failed)?));
            }
            if let Some(file) = &mut kept.file {
                serde_json::to_writer(&mut *file, &reject).map_err(|error| failed(error.into()))?;
                file.write_all(b"\n").and_then(|()| file.flush()).map_err(failed)?;
            }
        }
        if kept.first.len() < KEPT_IN_MEMORY {
            kept.first.push(reject);
        }
        Ok(())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
