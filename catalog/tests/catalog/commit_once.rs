//! An epoch is committed once, however often and by however many programs it is written.

use meed_catalog::{Catalog, Lineage};
use meed_operators::columns::Table;
use meed_operators::engine::Sink;

use crate::rows::{cells, fill, lineage, read, rollouts, sink, write};

#[test]
fn a_repeated_commit_is_a_no_op_and_the_run_resumes_behind_it() {
    let catalog = Catalog::open("memory://resume").unwrap();
    let part = |epoch: i64| rollouts(epoch, 0..4, 3);
    let first = sink(&catalog, "math", "run");
    let mut committer = first.committer().unwrap();
    let receipts = [write(&first, 0, 0, &part(0)), write(&first, 0, 1, &part(1))].concat();
    committer.commit(0..=1, receipts.clone()).unwrap();
    committer.commit(0..=1, receipts).unwrap();

    // The program starts again; it wrote epoch 1 once more, and goes on to epoch 2.
    let again = sink(&catalog, "math", "run");
    let mut committer = again.committer().unwrap();
    assert_eq!(committer.resume_at().unwrap(), 2);
    let receipts = [write(&again, 0, 1, &part(1)), write(&again, 0, 2, &part(2))].concat();
    committer.commit(1..=2, receipts).unwrap();
    committer.finish().unwrap();
    assert_eq!(committer.resume_at().unwrap(), 3);
    assert_eq!(read(&catalog, "math", &["rollout_id"], 1 << 20).num_rows(), 36);

    // An epoch that was skipped would be lost for ever.
    let error = committer.commit(4..=4, write(&again, 0, 4, &part(4))).unwrap_err();
    assert!(error.to_string().contains("epoch 4 was given before epoch 3"), "{error}");
    // Another run appends.
    let other = sink(&catalog, "math", "other");
    let mut committer = other.committer().unwrap();
    assert_eq!(committer.resume_at().unwrap(), 0);
    committer.commit(0..=0, write(&other, 0, 0, &part(9))).unwrap();
    assert_eq!(read(&catalog, "math", &["rollout_id"], 1 << 20).num_rows(), 48);
}

#[test]
fn an_epoch_without_rows_counts_and_an_empty_run_leaves_a_dataset() {
    let catalog = Catalog::open("memory://empty").unwrap();
    let sink = sink(&catalog, "math", "run");
    let mut committer = sink.committer().unwrap();
    assert_eq!(sink.writer(0).unwrap().close(0).unwrap(), Vec::<String>::new());
    committer.commit(0..=3, Vec::new()).unwrap();
    assert_eq!(committer.resume_at().unwrap(), 4);
    let scores = catalog.sink("math_scores", Table::Scores, lineage("run")).unwrap();
    scores.committer().unwrap().finish().unwrap();
    assert_eq!(catalog.dataset("math_scores").unwrap().rows(), Some(0));
}

#[test]
fn a_run_does_not_continue_with_another_input() {
    let catalog = Catalog::open("memory://other_input").unwrap();
    let begun = sink(&catalog, "math", "run");
    begun.committer().unwrap().commit(0..=0, write(&begun, 0, 0, &rollouts(0, 0..1, 2))).unwrap();
    let mut changed: Lineage = lineage("run");
    changed.inputs[0].fingerprint = "abc@5".to_owned();
    let sink = catalog.sink("math", Table::Rollouts, changed).unwrap();
    let error = sink.committer().unwrap().resume_at().unwrap_err();
    assert!(error.to_string().contains("cannot continue"), "{error}");
    assert!(error.hint().contains("--new-run"));
}

#[test]
fn two_programs_with_the_same_run_write_every_epoch_once() {
    let directory = tempfile::tempdir().unwrap();
    let uri = directory.path().to_str().unwrap();
    let epochs = 12;
    // They group epochs into commits differently, as their timers would.
    let attempts: Vec<_> = [1, 3]
        .into_iter()
        .map(|at_once| {
            let catalog = Catalog::open(uri).unwrap();
            std::thread::spawn(move || {
                let sink = sink(&catalog, "math", "same");
                let mut committer = sink.committer().unwrap();
                let mut epoch = committer.resume_at().unwrap();
                while epoch < epochs {
                    let last = (epoch + at_once - 1).min(epochs - 1);
                    let receipts = (epoch..=last)
                        .flat_map(|epoch| write(&sink, 0, epoch, &rollouts(epoch as i64, 0..3, 2)))
                        .collect();
                    committer.commit(epoch..=last, receipts).unwrap();
                    epoch = last + 1;
                }
                committer.finish().unwrap();
            })
        })
        .collect();
    for attempt in attempts {
        attempt.join().unwrap();
    }
    let catalog = Catalog::open(uri).unwrap();
    let mut got = cells(&read(&catalog, "math", &["iteration", "rollout_id"], 1 << 20));
    let mut want: Vec<Vec<String>> = (0..epochs)
        .flat_map(|epoch| cells(&rollouts(epoch as i64, 0..3, 2).project(&[0, 2]).unwrap()))
        .collect();
    got.sort();
    want.sort();
    assert_eq!(got, want);
}

#[test]
fn different_runs_append_at_the_same_time() {
    let catalog = Catalog::open("memory://appenders").unwrap();
    fill(&catalog, "math", &rollouts(0, 0..1, 2));
    std::thread::scope(|scope| {
        for run in ["a", "b", "c"] {
            let catalog = &catalog;
            scope.spawn(move || {
                let sink = sink(catalog, "math", run);
                let mut committer = sink.committer().unwrap();
                for epoch in 0..5 {
                    let receipts = write(&sink, 0, epoch, &rollouts(epoch as i64, 0..1, 2));
                    committer.commit(epoch..=epoch, receipts).unwrap();
                }
            });
        }
    });
    assert_eq!(catalog.dataset("math").unwrap().rows(), Some(2 + 3 * 5 * 2));
}

#[test]
fn progress_survives_a_checkpoint_of_the_log() {
    let catalog = Catalog::open("memory://checkpoint").unwrap();
    let sink1 = sink(&catalog, "math", "long");
    let mut committer = sink1.committer().unwrap();
    // delta-rs makes a checkpoint every 100 commits.
    for epoch in 0..105 {
        committer.commit(epoch..=epoch, Vec::new()).unwrap();
    }
    let again = sink(&catalog, "math", "long");
    assert_eq!(again.committer().unwrap().resume_at().unwrap(), 105);
    assert_eq!(catalog.history("math").unwrap().len(), 106);
}
