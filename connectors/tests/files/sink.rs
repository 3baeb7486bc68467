//! Targets: epochs in order, whole or not at all.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use meed_connectors::{Codec, FileSink, Format, Location, read_batches, write_batches};
use meed_operators::engine::Sink;
use meed_operators::{Error, Result};

use crate::made::{at, rows, schema, texts, together};

fn sink(location: &Location, run: &str) -> FileSink {
    let format = location.format().unwrap();
    FileSink::new(location.clone(), format, schema(), Codec::Snappy).with_run(run)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Three workers write six epochs; epoch 3 has no rows. Commits come in two runs of epochs.
fn write_epochs(sink: &FileSink) -> Result<()> {
    let mut committer = sink.committer()?;
    assert_eq!(committer.resume_at()?, 0);
    let mut workers = (0..3).map(|worker| sink.writer(worker)).collect::<Result<Vec<_>>>()?;
    let mut receipts = vec![Vec::new(); 6];
    // Workers are not at the same epoch at the same time.
    for worker in [2, 0, 1] {
        for (epoch, receipts) in receipts.iter_mut().enumerate() {
            if epoch != 3 {
                let first = epoch * 100 + worker * 10;
                for batch in [rows(first, &[(0, "a", 2), (0, "a", 1)]), rows(first + 2, &[(0, "a", 9)])] {
                    workers[worker].write(epoch as u64, batch)?;
                }
                workers[worker].write(epoch as u64, rows(0, &[]))?;
            }
            receipts.extend(workers[worker].close(epoch as u64)?);
        }
    }
    assert!(receipts[3].is_empty());
    let later = receipts.split_off(4).concat();
    committer.commit(0..=3, receipts.concat())?;
    committer.commit(4..=5, later)?;
    committer.finish()
}

#[test]
fn rows_come_in_order_of_epochs_and_workers() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["x.parquet", "x.jsonl", "x.arrow"] {
        let path = folder.path().join("out").join(name);
        for place in [path.to_str().unwrap().to_owned(), format!("memory://sink/{name}")] {
            let location = Location::parse(&place).unwrap();
            write_epochs(&sink(&location, "one")).unwrap();
            let (schema, batches) = read_batches(&location, location.format().unwrap(), 4).unwrap();
            let got = texts(&together(&schema, batches), "rollout_id");
            let mut want = Vec::new();
            for epoch in [0, 1, 2, 4, 5] {
                for worker in 0..3 {
                    want.extend((0..3).map(|row| format!("r{}", epoch * 100 + worker * 10 + row)));
                }
            }
            assert_eq!(got, want, "{place}");
        }
    }
    assert_eq!(names(&folder.path().join("out")), ["x.arrow", "x.jsonl", "x.parquet"]);
}

#[test]
fn a_run_that_breaks_off_leaves_the_old_target() {
    let folder = tempfile::tempdir().unwrap();
    let location = at(&folder.path().join("x.parquet"));
    let path = location.local_path().unwrap();
    for old in [false, true] {
        if old {
            fs::write(path, "the old content").unwrap();
        }
        let sink = sink(&location, "two");
        let mut committer = sink.committer().unwrap();
        let mut writer = sink.writer(0).unwrap();
        writer.write(0, rows(0, &[(0, "a", 3)])).unwrap();
        let receipts = writer.close(0).unwrap();
        committer.commit(0..=0, receipts).unwrap();
        assert_eq!(path.exists(), old);
        drop(committer);
        assert_eq!(path.exists(), old);
        assert_eq!(names(folder.path()).len(), usize::from(old));
    }
    assert_eq!(fs::read_to_string(path).unwrap(), "the old content");
}

#[test]
fn parts_of_a_killed_run_are_removed_and_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let location = at(&folder.path().join("x.jsonl"));
    for run in ["killed", "next"] {
        let mut writer = sink(&location, run).writer(7).unwrap();
        writer.write(0, rows(900, &[(0, "old", 1)])).unwrap();
        writer.close(0).unwrap();
    }
    fs::create_dir(folder.path().join("y.jsonl.parts-killed")).unwrap();
    assert_eq!(names(folder.path()).len(), 3);
    write_epochs(&sink(&location, "next")).unwrap();
    assert_eq!(names(folder.path()), ["x.jsonl", "y.jsonl.parts-killed"]);
    let (schema, batches) = read_batches(&location, Format::JsonLines, 100).unwrap();
    let got = together(&schema, batches);
    assert_eq!(got.num_rows(), 45);
    assert!(!texts(&got, "group_id").contains(&"old".to_owned()));
}

#[test]
fn rows_of_another_schema_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let location = at(&folder.path().join("x.parquet"));
    let rewards = Arc::new(Float64Array::from(vec![1.0])) as ArrayRef;
    let batch = RecordBatch::try_from_iter([("reward", rewards)]).unwrap();
    let error = write_batches(&location, Format::Parquet, &schema(), [Ok(batch)]).unwrap_err();
    assert!(error.to_string().contains("x.parquet"), "{error}");
    assert!(names(folder.path()).is_empty());

    let broken = || Err(Error::usage("the rows end here", ""));
    let batches = [Ok(rows(0, &[(0, "a", 1)])), broken()];
    let error = write_batches(&location, Format::Parquet, &schema(), batches).unwrap_err();
    assert_eq!(error.to_string(), "the rows end here");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn json_refuses_numbers_that_it_cannot_hold() {
    let folder = tempfile::tempdir().unwrap();
    let location = at(&folder.path().join("x.jsonl"));
    let rewards = Arc::new(Float64Array::from(vec![Some(1.0), None, Some(f64::NAN)])) as ArrayRef;
    let batch = RecordBatch::try_from_iter_with_nullable([("reward", rewards, true)]).unwrap();
    let schema = batch.schema();
    let error = write_batches(&location, Format::JsonLines, &schema, [Ok(batch.clone())]);
    assert!(error.unwrap_err().to_string().contains("column reward: NaN"));
    let kept = batch.slice(0, 2);
    write_batches(&location, Format::JsonLines, &schema, [Ok(kept)]).unwrap();
    assert_eq!(
        fs::read_to_string(location.local_path().unwrap()).unwrap(),
        "{\"reward\":1.0}\n{\"reward\":null}\n"
    );
}
