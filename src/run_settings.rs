//! How a run over stored rollouts is done, whatever it does: where, with how many workers, in what pieces.

use std::path::PathBuf;

use meed_connectors::OnError;
use meed_connectors::parquet_source::SLICE_BYTES;
use meed_operators::engine::RunOptions;

use crate::pipeline::default_catalog;

/// What assigning and judging have in common.
pub(crate) struct RunSettings {
    pub(crate) catalog: String,
    pub(crate) options: RunOptions,
    pub(crate) slice_bytes: u64,
    pub(crate) on_error: OnError,
    pub(crate) rejects: Option<PathBuf>,
    pub(crate) command: String,
}

impl RunSettings {
    pub(crate) fn new(command: &str) -> Self {
        RunSettings {
            catalog: default_catalog(),
            options: RunOptions::default(),
            slice_bytes: SLICE_BYTES,
            on_error: OnError::Fail,
            rejects: None,
            command: command.to_owned(),
        }
    }
}

/// The methods that set them, for a type that has them in its field `run`.
macro_rules! run_setters {
    ($type:ty) => {
        impl $type {
            /// The catalog of the datasets that are named.
            pub fn catalog(mut self, uri: &str) -> Self {
                self.run.catalog = uri.to_owned();
                self
            }

            /// Number of worker threads.
            pub fn workers(mut self, workers: usize) -> Self {
                self.run.options.workers = workers;
                self
            }

            /// About what a slice takes in memory with all its columns; a slice is the unit of work and of
            /// commits, and every worker holds one or two. It has no influence on the numbers.
            pub fn slice_bytes(mut self, bytes: u64) -> Self {
                self.run.slice_bytes = bytes;
                self
            }

            /// How much output makes a commit, in bytes of Arrow memory.
            pub fn commit_bytes(mut self, bytes: u64) -> Self {
                self.run.options.commit_bytes = bytes;
                self
            }

            /// Timely's own options, such as `-n 2 -p 0` for the first of two processes.
            pub fn timely(mut self, arguments: Vec<String>) -> Self {
                self.run.options.timely = arguments;
                self
            }

            /// What to do with rows that break an invariant; by default they end the run.
            pub fn on_error(mut self, on_error: meed_connectors::OnError) -> Self {
                self.run.on_error = on_error;
                self
            }

            /// Writes skipped rows to a file of JSON Lines.
            pub fn rejects(mut self, path: impl Into<std::path::PathBuf>) -> Self {
                self.run.rejects = Some(path.into());
                self
            }

            /// What lineage calls the command.
            pub fn command(mut self, command: &str) -> Self {
                self.run.command = command.to_owned();
                self
            }

            /// Who hears of progress.
            pub fn progress(mut self, progress: meed_operators::engine::Report) -> Self {
                self.run.options.progress = Some(progress);
                self
            }
        }
    };
}

pub(crate) use run_setters;
