//! How a run is spread over threads and processes, and when it commits.

use std::sync::Arc;
use std::time::Duration;

use timely::communication::Config as Communication;

use super::cluster::Member;
use crate::{Error, Result};

/// What happened since the last report of the same worker; reports add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The worker that reports, over all processes.
    pub worker: usize,
    /// Whether this is a pass that only gathers statistics.
    pub gathering: bool,
    /// Rows read and processed since.
    pub rows: u64,
    /// Rows of the whole source, where known.
    pub total_rows: Option<u64>,
    /// Slices completed since.
    pub slices: u64,
    /// Slices of the whole source.
    pub total_slices: u64,
}

/// Receives [`Progress`] from all workers of this process.
pub type Report = Arc<dyn Fn(Progress) + Send + Sync>;

/// How to run.
#[derive(Clone)]
pub struct RunOptions {
    /// Worker threads of this process, unless `timely` names them (`-w`).
    pub workers: usize,
    /// Timely's own options: `-w <threads>`, `-n <processes>`, `-p <index of this process>`,
    /// `-h <host file>`, `-z` (serialise between threads too), `--progress-mode <mode>`. Without a
    /// host file the processes are `localhost:2101`, `localhost:2102`, and so on.
    pub timely: Vec<String>,
    /// Commit when so many bytes of finished epochs were written (as Arrow counts them in memory).
    pub commit_bytes: u64,
    /// Commit finished epochs at the latest after so long.
    pub commit_interval: Duration,
    /// Bytes that each worker reads ahead on a thread of its own; 0 reads in the worker itself.
    pub read_ahead_bytes: usize,
    /// How long to wait for the other processes to connect.
    pub connect_within: Duration,
    /// Who wants to know of progress.
    pub progress: Option<Report>,
}

impl Default for RunOptions {
    fn default() -> Self {
        RunOptions {
            workers: 1,
            timely: Vec::new(),
            commit_bytes: 1 << 30,
            commit_interval: Duration::from_secs(10),
            read_ahead_bytes: 8 << 20,
            connect_within: Duration::from_secs(300),
            progress: None,
        }
    }
}

/// Workers and processes, as timely wants to know it.
pub(super) struct Layout {
    pub(super) communication: Communication,
    pub(super) worker: timely::WorkerConfig,
}

const HINT: &str = "after `--` go timely's own options: -w <threads>, -n <processes>, \
                    -p <this process, from 0>, -h <host file>, -z, --progress-mode <mode>";

impl RunOptions {
    /// Options for a number of workers in this process; all else as usual.
    pub fn workers(workers: usize) -> Self {
        RunOptions { workers, ..RunOptions::default() }
    }

    /// Checks the options without running anything.
    ///
    /// # Errors
    /// A usage error for unknown options, numbers that do not fit together, or an unreadable host
    /// file.
    pub fn check(&self) -> Result<()> {
        self.layout().map(|_| ())
    }

    /// Number of worker threads of this process.
    pub fn threads(&self) -> Result<usize> {
        Ok(match self.layout()?.communication {
            Communication::Thread => 1,
            Communication::Process(threads)
            | Communication::ProcessBinary(threads)
            | Communication::Cluster { threads, .. } => threads,
        })
    }

    /// Number of processes of the run.
    pub fn processes(&self) -> Result<usize> {
        Ok(self.layout()?.member().map_or(1, |member| member.addresses.len()))
    }

    pub(super) fn layout(&self) -> Result<Layout> {
        let usage = |message: String| Error::usage(message, HINT);
        let mut parser = getopts::Options::new();
        timely::Config::install_options(&mut parser);
        let parse = |arguments: &[String]| {
            parser.parse(arguments).map_err(|error| usage(format!("timely's options: {error}")))
        };
        let mut arguments = self.timely.clone();
        if !parse(&arguments)?.opt_present("w") {
            arguments.extend(["-w".to_owned(), self.workers.to_string()]);
        }
        let matches = parse(&arguments)?;
        if let Some(free) = matches.free.first() {
            return Err(usage(format!("`{free}` is not an option of timely")));
        }
        let config = timely::Config::from_matches(&matches)
            .map_err(|error| usage(format!("timely's options: {error}")))?;
        let number = |name, usual| matches.opt_get_default(name, usual).unwrap_or(usual);
        let (threads, process, processes) = match &config.communication {
            Communication::Cluster { threads, process, addresses, .. } => {
                (*threads, *process, addresses.len())
            }
            _ => (number("w", 1), number("p", 0), 1),
        };
        if threads == 0 {
            return Err(usage("a run needs at least one worker".to_owned()));
        }
        if process >= processes {
            return Err(usage(format!("there is no process {process} among {processes}")));
        }
        Ok(Layout { communication: config.communication, worker: config.worker })
    }
}

impl Layout {
    /// This process among several; none if it is alone.
    pub(super) fn member(&self) -> Option<Member> {
        match &self.communication {
            Communication::Cluster { threads, process, addresses, .. } => {
                Some(Member { addresses: addresses.clone(), process: *process, threads: *threads })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(timely: &[&str]) -> RunOptions {
        RunOptions {
            workers: 3,
            timely: timely.iter().map(|text| text.to_string()).collect(),
            ..RunOptions::default()
        }
    }

    #[test]
    fn workers_are_threads_unless_timely_names_them() {
        assert_eq!(with(&[]).threads().unwrap(), 3);
        assert_eq!(with(&["-w", "2"]).threads().unwrap(), 2);
        assert_eq!(with(&["--threads=5", "-z"]).threads().unwrap(), 5);
        let member = with(&["-n", "2", "-p", "1"]).layout().unwrap().member();
        let member = member.unwrap();
        assert_eq!(member.addresses, ["localhost:2101", "localhost:2102"]);
        assert_eq!((member.process, member.threads), (1, 3));
    }

    #[test]
    fn what_does_not_fit_is_a_usage_error() {
        for arguments in [
            &["--nonsense"][..],
            &["stray"],
            &["-w", "0"],
            &["-w", "two"],
            &["-n", "2", "-p", "2"],
            &["-p", "1"],
            &["-n", "2", "-h", "no/such/file"],
            &["--progress-mode", "lazy"],
        ] {
            let error = with(arguments).check().unwrap_err();
            assert!(matches!(error, Error::Usage { .. }), "{arguments:?}: {error}");
        }
    }
}
