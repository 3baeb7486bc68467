//! Faults end the run everywhere, quickly, with operator and epoch.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use meed_operators::engine::{Batches, RunOptions, Source, execute, run_stored};
use meed_operators::{Error, Result};

use crate::toy::*;

/// Runs with trouble and returns what each process says.
fn broken(threads: usize, count: usize, trouble: Trouble, at: u64) -> Vec<String> {
    let (source, sink) = (ToySource::new(20), ToySink::default());
    let began = Instant::now();
    let messages = processes(count, &options(threads, &[]), |options| {
        let result = run_stored(run(&source, &sink, Some((at, trouble))), &options);
        result.unwrap_err().to_string()
    });
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let table = sink.table.lock().unwrap();
    assert!(table.commits.iter().all(|range| *range.end() < at), "{:?}", table.commits);
    messages
}

#[test]
fn a_stage_that_breaks_ends_all_workers_and_processes() {
    // Slice 11 belongs to worker 1 of 2 (which is process 1 of 2), and to worker 3 of 4.
    for (threads, count) in [(1, 1), (2, 1), (1, 2), (2, 2)] {
        for (trouble, text) in [(Trouble::Error, ""), (Trouble::Panic, "panicked: ")] {
            for message in broken(threads, count, trouble, 11) {
                let wanted = format!("operator group_sizes, epoch 11: {text}the stage broke");
                assert!(message.starts_with(&wanted), "{threads}x{count}: {message}");
            }
        }
    }
}

/// The other slices keep their worker busy for a minute; nobody waits for it.
#[test]
fn nobody_waits_for_a_busy_worker() {
    let (source, sink) = (ToySource::new(4), ToySink::default());
    let mut run = run(&source, &sink, None);
    run.stage = Arc::new(|worker| {
        Ok(Box::new(GroupSizes {
            trouble: (worker == 1).then_some((1, Trouble::Error)),
            pause: Duration::from_secs(if worker == 0 { 60 } else { 0 }),
        }))
    });
    let began = Instant::now();
    let error = run_stored(run, &options(2, &[])).unwrap_err();
    assert!(error.to_string().contains("group_sizes, epoch 1"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(8));
}

/// A source that fails while a slice is read.
struct Failing(ToySource, Trouble);

impl Source for Failing {
    fn uri(&self) -> &str {
        "failing"
    }
    fn fingerprint(&self) -> String {
        String::new()
    }
    fn schema(&self) -> arrow::datatypes::SchemaRef {
        self.0.schema()
    }
    fn rows(&self) -> Option<u64> {
        None
    }
    fn slices(&self) -> u64 {
        self.0.slices()
    }
    fn read(&self, slice: u64, columns: &[String]) -> Result<Batches> {
        let rows = self.0.read(slice, columns)?;
        if slice != 6 {
            return Ok(rows);
        }
        let trouble = self.1;
        Ok(Box::new(rows.take(1).chain(std::iter::from_fn(move || match trouble {
            Trouble::Panic => panic!("torn page"),
            _ => Some(Err(Error::external("reading failing", "torn page", "download it again"))),
        }))))
    }
}

#[test]
fn a_source_that_breaks_is_named_with_its_slice() {
    for trouble in [Trouble::Error, Trouble::Panic] {
        for read_ahead_bytes in [0, 8 << 20] {
            let (source, sink) = (ToySource::new(10), ToySink::default());
            let mut run = run(&source, &sink, None);
            run.source = Arc::new(Failing(source.clone(), trouble));
            let options = RunOptions { read_ahead_bytes, ..options(2, &[]) };
            let message = run_stored(run, &options).unwrap_err().to_string();
            assert!(message.starts_with("operator read, epoch 6: "), "{message}");
            assert!(message.contains("torn page"), "{message}");
        }
    }
}

#[test]
fn sinks_that_break_are_named() {
    let source = ToySource::new(10);
    let sink = ToySink { write_fails_at: Some(5), ..ToySink::default() };
    let message = run_stored(run(&source, &sink, None), &options(2, &[])).unwrap_err().to_string();
    assert_eq!(message, "operator write, epoch 5: writing toy: disk full");

    let sink = ToySink { commit_fails_at: Some(0), ..ToySink::default() };
    for message in processes(2, &options(1, &[]), |options| {
        run_stored(run(&source, &sink, None), &options).unwrap_err().to_string()
    }) {
        assert!(message.starts_with("operator commit, epoch 0: committing toy"), "{message}");
    }
    assert_eq!(sink.table.lock().unwrap().finished, 0);
}

#[test]
fn missing_key_columns_are_a_fault_before_anything_is_read() {
    let (source, sink) = (ToySource::new(10), ToySink::default());
    let mut run = run(&source, &sink, None);
    run.columns = vec!["iteration".to_owned(), "row".to_owned()];
    let error = run_stored(run, &options(2, &[])).unwrap_err();
    assert!(error.to_string().contains("lack `group_id`"), "{error}");
}

#[test]
fn an_error_of_the_program_itself_keeps_its_kind() {
    let results = processes(2, &options(2, &[]), |options| {
        execute(&options, |session| match session.index() {
            3 => Err(Error::usage("no such recipe", "see `meed recipes`")),
            _ => session.share(b"waiting for all"),
        })
    });
    for result in results {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Usage { .. }), "{error:?}");
        assert_eq!(error.hint(), "see `meed recipes`");
    }
}

#[test]
fn processes_with_different_options_find_out() {
    let hosts = hosts(2);
    let results = std::thread::scope(|scope| {
        let start = |index: usize| {
            let options = process(&options(1 + index, &[]), &hosts, index, 2);
            scope.spawn(move || execute(&options, |session| session.share(b"")))
        };
        let handles = [start(0), start(1)];
        handles.map(|handle| handle.join().unwrap())
    });
    for result in results {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Usage { .. }), "{error}");
        assert!(error.to_string().contains("-n 2 -w 2"), "{error}");
    }
}

#[test]
fn a_process_that_never_comes_is_named() {
    let mut options = process(&options(1, &[]), &hosts(2), 0, 2);
    options.connect_within = Duration::from_millis(300);
    let error = execute(&options, |_| Ok(())).unwrap_err();
    assert!(error.to_string().starts_with("process 1 at 127.0.0.1:"), "{error}");
    assert!(error.hint().contains("-p 1"));
}

const HOSTS: &str = "MEED_TEST_HOSTS";

/// Process 1 of the test below, when it is asked for; nothing otherwise.
#[test]
fn child_that_aborts() {
    let Ok(hosts) = std::env::var(HOSTS) else {
        return;
    };
    let (source, sink) = (ToySource::new(20), ToySink::default());
    let options = process(&options(2, &[]), &hosts, 1, 2);
    let _never = run_stored(run(&source, &sink, Some((10, Trouble::Abort))), &options);
}

#[test]
fn a_process_that_dies_ends_the_others() {
    let hosts = hosts(2);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "faults::child_that_aborts", "--nocapture"])
        .env(HOSTS, &hosts)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (source, sink) = (ToySource::new(20), ToySink::default());
    let options = process(&options(2, &[]), &hosts, 0, 2);
    let error = run_stored(run(&source, &sink, None), &options).unwrap_err();
    let died = Instant::now();
    assert!(!child.wait().unwrap().success());
    assert!(died.elapsed() < Duration::from_secs(5));
    assert_eq!(error.to_string(), "process 1: ended without a word");
    assert!(sink.table.lock().unwrap().commits.is_empty());
}
