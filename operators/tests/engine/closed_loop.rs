//! The closed loop: staleness, order, resumption and faults in every layout.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use meed_operators::Error;
use meed_operators::engine::{
    LiveReport, LiveRun, Loop, RunOptions, SampleCall, Tables, Work, execute, owner_of_group, rows_of,
};

use crate::toy::{LAYOUTS, ToySink, options, processes};

const GROUPS: i64 = 5;

/// Samples rows whose `size` is the version of the policy at that moment; an update makes the next.
struct ToyLoop {
    version: AtomicI64,
    updates: Mutex<Vec<u64>>,
    fails_at: Option<(&'static str, u64)>,
    empty: Option<u64>,
}

impl ToyLoop {
    fn from_version(version: i64) -> Self {
        ToyLoop { version: AtomicI64::new(version), updates: Mutex::default(), fails_at: None, empty: None }
    }

    fn fails(&self, stage: &str, epoch: u64) -> bool {
        self.fails_at.is_some_and(|(failing, at)| failing == stage && at == epoch)
    }
}

fn numbers(rows: Vec<i64>, sizes: Vec<i64>) -> RecordBatch {
    let column = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
    let rows = RecordBatch::try_from_iter([("row", column(rows)), ("size", column(sizes))]).unwrap();
    rows_of(meed_operators::columns::Table::Updates, &rows).unwrap()
}

impl Loop for ToyLoop {
    fn sample(&self, call: SampleCall) -> Work {
        let version = self.version.load(Ordering::SeqCst);
        let epoch = call.epoch as i64;
        let own = |group: &i64| owner_of_group(epoch, &group.to_string(), call.peers) == call.worker;
        let rows: Vec<i64> = (0..GROUPS).filter(own).map(|group| epoch * GROUPS + group).collect();
        let fails = self.fails("sample", call.epoch);
        let empty = self.empty == Some(call.epoch) || rows.is_empty();
        Box::pin(async move {
            // Other workers and epochs go on meanwhile.
            tokio::time::sleep(Duration::from_millis(epoch as u64 % 3)).await;
            if fails {
                panic!("the sampler broke");
            }
            let sizes = vec![version; rows.len()];
            Ok(if empty { Vec::new() } else { vec![numbers(rows, sizes)] })
        })
    }

    fn judge(&self, epoch: u64, rows: RecordBatch) -> Work {
        let fails = self.fails("judge", epoch);
        Box::pin(async move {
            match fails {
                true => Err(Error::usage("the judge broke", "mend it")),
                false => Ok(vec![rows]),
            }
        })
    }

    fn update(&self, epoch: u64, rows: Vec<RecordBatch>) -> Work {
        if self.fails("update", epoch) {
            return Box::pin(async { Err(Error::usage("the update broke", "mend it")) });
        }
        self.updates.lock().unwrap().push(epoch);
        self.version.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { Ok(rows) })
    }
}

fn run(stages: Arc<ToyLoop>, staleness: u64, sink: &ToySink, options: &RunOptions) -> Vec<LiveReport> {
    try_run(stages, staleness, sink, options).unwrap()
}

fn try_run(
    stages: Arc<ToyLoop>,
    staleness: u64,
    sink: &ToySink,
    options: &RunOptions,
) -> meed_operators::Result<Vec<LiveReport>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let sink = Tables::new(vec![(meed_operators::columns::Table::Updates, Arc::new(sink.clone()))])?;
    let run = LiveRun {
        stages,
        epochs: 12,
        staleness,
        judging: 2,
        sink: Arc::new(sink),
        runtime: runtime.handle().clone(),
    };
    execute(options, move |session| session.run_live(&run))
}

/// Rows and the versions that they were sampled by, in order of rows.
fn seen(sink: &ToySink) -> Vec<(i64, i64)> {
    let table = sink.table.lock().unwrap();
    let mut seen: Vec<_> = table.rows.iter().copied().zip(table.sizes.iter().copied()).collect();
    seen.sort_unstable();
    seen
}

fn wanted(staleness: i64) -> Vec<(i64, i64)> {
    let version = |row: i64| (row / GROUPS - staleness).max(0);
    (0..12 * GROUPS).map(|row| (row, version(row))).collect()
}

#[test]
fn an_epoch_waits_for_exactly_the_update_that_it_needs() {
    for (threads, count, timely) in LAYOUTS {
        for staleness in [0, 1, 4] {
            let (sink, stages) = (ToySink::default(), Arc::new(ToyLoop::from_version(0)));
            let reports = processes(count, &options(threads, timely), |options| {
                run(stages.clone(), staleness, &sink, &options)
            });
            // With several epochs under way a policy may already be newer than the one that an epoch is
            // entitled to; the toy sees the newest, so only the on-policy case is equal to the bound.
            let seen = seen(&sink);
            assert_eq!(seen.iter().map(|seen| seen.0).collect::<Vec<_>>(), (0..60).collect::<Vec<_>>());
            for ((row, version), (_, least)) in seen.iter().zip(wanted(staleness as i64)) {
                assert!(*version >= least && *version <= row / GROUPS, "{row} {version} {staleness}");
            }
            if staleness == 0 {
                assert_eq!(seen, wanted(0));
            }
            assert_eq!(*stages.updates.lock().unwrap(), (0..12).collect::<Vec<_>>());
            assert_eq!(reports[0][0].epochs, 12);
            assert_eq!(sink.table.lock().unwrap().finished, 1);
        }
    }
}

#[test]
fn an_epoch_without_rows_is_an_epoch() {
    let (sink, mut stages) = (ToySink::default(), ToyLoop::from_version(0));
    stages.empty = Some(7);
    run(Arc::new(stages), 1, &sink, &options(2, &[]));
    assert_eq!(seen(&sink).len(), 11 * GROUPS as usize);
    let table = sink.table.lock().unwrap();
    assert_eq!(table.commits.last().map(|epochs| *epochs.end()), Some(11));
}

#[test]
fn faults_name_their_operator_and_epoch_and_a_run_goes_on_where_it_stopped() {
    for (stage, text) in [
        ("sample", "panicked: the sampler broke"),
        ("judge", "the judge broke"),
        ("update", "the update broke"),
    ] {
        let sink = ToySink::default();
        let mut stages = ToyLoop::from_version(0);
        stages.fails_at = Some((stage, 6));
        let options = RunOptions { commit_interval: Duration::ZERO, ..options(2, &[]) };
        let error = try_run(Arc::new(stages), 0, &sink, &options).unwrap_err().to_string();
        assert!(error.starts_with(&format!("operator {stage}, epoch 6: ")), "{error}");
        assert!(error.contains(text), "{error}");
        let committed = sink.table.lock().unwrap().commits.last().map_or(0, |epochs| epochs.end() + 1);
        assert!(committed <= 6, "{committed}");
        let stages = Arc::new(ToyLoop::from_version(committed as i64));
        let report = run(stages.clone(), 0, &sink, &options)[0];
        assert_eq!((report.skipped, report.epochs), (committed, 12 - committed));
        assert_eq!(seen(&sink), wanted(0));
        // Running it again does nothing.
        let again = run(stages.clone(), 0, &sink, &options)[0];
        assert_eq!((again.skipped, again.epochs, again.commits), (12, 0, 0));
        assert_eq!(stages.updates.lock().unwrap().len() as u64, 12 - committed);
    }
}

#[test]
fn rows_are_what_they_were_marked_as() {
    let rows = numbers(vec![1], vec![2]);
    let values = rows.column(0).as_primitive::<Int64Type>();
    assert_eq!(values.values(), &[1]);
    assert_eq!(meed_operators::engine::table_of(&rows), Some(meed_operators::columns::Table::Updates));
}
