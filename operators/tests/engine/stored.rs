//! Stored runs: every row exactly once, commits in order, resumption.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use meed_operators::engine::{RunOptions, run_stored};

use crate::toy::*;

fn check(source: &ToySource, sink: &ToySink) {
    let mut table = sink.table.lock().unwrap();
    table.rows.sort_unstable();
    let all: Vec<i64> = (0..source.total() as i64).collect();
    assert_eq!(table.rows, all, "every row is there once");
    let wanted: usize = source.slices.iter().flatten().map(|size| size * size).sum();
    assert_eq!(table.sizes.iter().sum::<i64>(), wanted as i64, "groups were whole");
    let mut next = 0;
    for range in &table.commits {
        assert_eq!(*range.start(), next, "commits are consecutive: {:?}", table.commits);
        next = range.end() + 1;
    }
    assert_eq!(next, source.slices.len() as u64);
}

#[test]
fn every_row_arrives_once_in_every_layout() {
    for (threads, count, timely) in LAYOUTS {
        for read_ahead_bytes in [0, 1, 8 << 20] {
            let (source, sink) = (ToySource::new(23), ToySink::default());
            let options = RunOptions { read_ahead_bytes, ..options(threads, timely) };
            let reports = processes(count, &options, |options| {
                run_stored(run(&source, &sink, None), &options).unwrap()
            });
            check(&source, &sink);
            for report in reports {
                assert_eq!(report.rows_in, source.total() as u64);
                assert_eq!(report.rows_out, source.total() as u64);
                assert_eq!((report.epochs, report.skipped, report.commits), (23, 0, 1));
            }
            assert_eq!(sink.table.lock().unwrap().finished, 1);
        }
    }
}

#[test]
fn batches_of_any_size_give_the_same_rows() {
    for batch in [1, 2, 64, 8192] {
        let source = ToySource { batch, ..ToySource::new(9) };
        let sink = ToySink::default();
        run_stored(run(&source, &sink, None), &options(2, &[])).unwrap();
        check(&source, &sink);
    }
}

#[test]
fn large_rows_are_cut_into_units() {
    let source = ToySource { slices: vec![vec![4; 30]; 3], batch: 50, tokens: 100_000 };
    let sink = ToySink::default();
    let units = Arc::new(AtomicU64::new(0));
    let counted = units.clone();
    let mut options = options(2, &[]);
    options.progress = Some(Arc::new(move |progress| {
        if progress.rows > 0 {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    }));
    run_stored(run(&source, &sink, None), &options).unwrap();
    check(&source, &sink);
    // 48 MB a slice in batches of 20 MB.
    let units = units.load(Ordering::Relaxed);
    assert!((18..=33).contains(&units), "{units}");
}

#[test]
fn commits_follow_bytes_and_time() {
    let (source, sink) = (ToySource::new(40), ToySink::default());
    let slow = |sink: &ToySink| {
        let mut run = run(&source, sink, None);
        run.stage = Arc::new(|_| {
            let pause = Duration::from_millis(10);
            Ok(Box::new(GroupSizes { trouble: None, pause }))
        });
        run
    };
    let often = RunOptions { commit_bytes: 1, ..options(2, &[]) };
    let report = run_stored(slow(&sink), &often).unwrap();
    check(&source, &sink);
    assert!(report.commits > 5, "{}", report.commits);

    let sink = ToySink::default();
    let soon = RunOptions { commit_interval: Duration::from_millis(50), ..options(2, &[]) };
    let report = run_stored(slow(&sink), &soon).unwrap();
    check(&source, &sink);
    assert!((2..=20).contains(&report.commits), "{}", report.commits);
}

#[test]
fn a_run_that_was_cut_short_goes_on_where_it_stopped() {
    for (threads, count) in [(1, 1), (2, 1), (1, 2)] {
        let (source, sink) = (ToySource::new(20), ToySink::default());
        let options = RunOptions { commit_bytes: 1, ..options(threads, &[]) };
        let failed = processes(count, &options, |options| {
            let broken = run(&source, &sink, Some((11, Trouble::Error)));
            run_stored(broken, &options).is_err()
        });
        assert!(failed.into_iter().all(|failed| failed));
        let committed = sink.table.lock().unwrap().commits.last().map_or(0, |range| range.end() + 1);
        assert!(committed <= 11, "{committed}");
        let reports =
            processes(count, &options, |options| run_stored(run(&source, &sink, None), &options).unwrap());
        check(&source, &sink);
        assert_eq!((reports[0].skipped, reports[0].epochs), (committed, 20 - committed));

        let again = run_stored(run(&source, &sink, None), &options).unwrap();
        assert_eq!((again.skipped, again.epochs, again.rows_in), (20, 0, 0));
        check(&source, &sink);
    }
}

#[test]
fn sources_without_slices_or_rows_work() {
    for slices in [vec![], vec![vec![]], vec![vec![]; 5]] {
        let source = ToySource { slices, batch: 3, tokens: 1 };
        let sink = ToySink::default();
        let mut run = run(&source, &sink, None);
        run.source = Arc::new(source.clone());
        let report = run_stored(run, &options(2, &[])).unwrap();
        assert_eq!(report.epochs, source.slices.len() as u64);
        assert_eq!(sink.table.lock().unwrap().finished, 1);
        check(&source, &sink);
    }
}

#[test]
fn progress_adds_up() {
    let (source, sink) = (ToySource::new(12), ToySink::default());
    let sums = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
    let seen = sums.clone();
    let mut options = options(3, &[]);
    options.progress = Some(Arc::new(move |progress| {
        assert_eq!(progress.total_slices, 12);
        seen.0.fetch_add(progress.rows, Ordering::Relaxed);
        seen.1.fetch_add(progress.slices, Ordering::Relaxed);
    }));
    run_stored(run(&source, &sink, None), &options).unwrap();
    assert_eq!(sums.0.load(Ordering::Relaxed), source.total() as u64);
    assert_eq!(sums.1.load(Ordering::Relaxed), 12);
}
