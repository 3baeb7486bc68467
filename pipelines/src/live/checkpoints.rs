//! Checkpoints of a run, by version of the policy: written before an epoch is committed, kept as long as
//! a restart can need them.

use std::fs;
use std::path::{Path, PathBuf};

use meed_operators::policy::Learner;
use meed_operators::sample::History;
use meed_operators::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::memory::Earlier;

/// What a run knows beside the learner's own state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// Optimiser steps so far, warm-up excluded.
    pub steps: u64,
    /// Outcomes of earlier iterations by prompt.
    pub history: History,
    /// What statistics over the history have counted so far.
    #[serde(default)]
    pub earlier: Earlier,
    /// The first epoch that is not sampled any more, once the run has reached its aim.
    pub stopped_at: Option<u64>,
}

/// A directory with one checkpoint per version.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    directory: PathBuf,
}

const STATE: &str = "run.json";

impl Checkpoints {
    /// Checkpoints below a directory of this machine, which need not exist.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Checkpoints { directory: directory.into() }
    }

    /// The directory of a version.
    pub fn path(&self, version: i64) -> PathBuf {
        self.directory.join(format!("{version:08}"))
    }

    /// A directory beside the versions for a model that stays as long as the run, made where it is not
    /// there.
    ///
    /// # Errors
    /// A directory that cannot be made.
    pub fn named(&self, name: &str) -> Result<PathBuf> {
        let path = self.directory.join(name);
        fs::create_dir_all(&path).map_err(|error| failed(&path, error))?;
        Ok(path)
    }

    /// Whether a version is there, whole.
    pub fn has(&self, version: i64) -> bool {
        self.path(version).join(STATE).is_file()
    }

    /// Writes a version: the learner, and those beside it in folders of their own. It appears under its
    /// name only when it is whole; one that is there already is replaced.
    ///
    /// # Errors
    /// A directory that cannot be written.
    pub fn save(
        &self,
        version: i64,
        learner: &dyn Learner,
        beside: &[(&str, &dyn Learner)],
        state: &RunState,
    ) -> Result<()> {
        let (path, partial) = (self.path(version), self.directory.join(format!("{version:08}.partial")));
        remove(&partial)?;
        fs::create_dir_all(&partial).map_err(|error| failed(&partial, error))?;
        learner.save(&partial)?;
        for (name, learner) in beside {
            let own = partial.join(name);
            fs::create_dir_all(&own).map_err(|error| failed(&own, error))?;
            learner.save(&own)?;
        }
        let text = serde_json::to_vec(state).map_err(|error| failed(&partial, error))?;
        fs::write(partial.join(STATE), text).map_err(|error| failed(&partial, error))?;
        remove(&path)?;
        fs::rename(&partial, &path).map_err(|error| failed(&path, error))
    }

    /// Brings the learner to a version, and returns what the run knew then.
    ///
    /// # Errors
    /// A checkpoint that is missing or torn.
    pub fn load(&self, version: i64, learner: &mut dyn Learner) -> Result<RunState> {
        let path = self.path(version);
        let state = self.state(version)?;
        learner.load(&path)?;
        Ok(state)
    }

    /// What the run knew at a version.
    ///
    /// # Errors
    /// A checkpoint that is missing or torn.
    pub fn state(&self, version: i64) -> Result<RunState> {
        let path = self.path(version).join(STATE);
        let text = fs::read(&path).map_err(|error| failed(&path, error))?;
        serde_json::from_slice(&text).map_err(|error| failed(&path, error))
    }

    /// Removes the versions below one.
    ///
    /// # Errors
    /// A directory that cannot be read or written.
    pub fn forget_below(&self, version: i64) -> Result<()> {
        let Ok(entries) = fs::read_dir(&self.directory) else { return Ok(()) };
        for entry in entries {
            let path = entry.map_err(|error| failed(&self.directory, error))?.path();
            let number = path.file_name().and_then(|name| name.to_str()?.parse::<i64>().ok());
            if number.is_some_and(|number| number < version) {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(path, error)),
        _ => Ok(()),
    }
}

fn failed(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::external(
        format!("checkpoint {}", path.display()),
        error,
        "a run goes on from its last checkpoints: start another with `--new-run` if they are gone",
    )
}
