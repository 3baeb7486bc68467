//! The same bits for one worker or several, for one attempt or several.

use std::sync::Arc;

use arrow::array::RecordBatch;
use meed_operators::columns::Table;

use crate::runs::{Digits, EPOCHS, Setting, attempt, whole};
use crate::tables::Stored;

/// Everything that a run computes; how long it took is left out.
fn bits(stored: &Stored) -> Vec<RecordBatch> {
    let tables = [Table::Rollouts, Table::Scores, Table::Advantages, Table::Updates];
    let without = |batch: RecordBatch| {
        let kept: Vec<usize> = (0..batch.num_columns())
            .filter(|&index| {
                !["wall_ms", "latency_ms"].contains(&batch.schema().field(index).name().as_str())
            })
            .collect();
        batch.project(&kept).unwrap()
    };
    tables.map(|table| without(stored.rows(table))).to_vec()
}

pub fn same(a: &Stored, b: &Stored, what: &str) {
    for (a, b) in bits(a).iter().zip(bits(b)) {
        // Scores come in the order of workers; everything else is in canonical order.
        let (a, b) = (sorted(a), sorted(&b));
        assert_eq!(a, b, "{what}");
    }
}

/// Rows as text in order: equal exactly where all values are.
fn sorted(batch: &RecordBatch) -> Vec<String> {
    let mut rows: Vec<String> = (0..batch.num_rows())
        .map(|row| {
            let columns = batch.columns().iter().map(|column| format!("{:?}", column.slice(row, 1)));
            columns.collect()
        })
        .collect();
    rows.sort();
    rows
}

#[test]
fn one_seed_one_result_for_any_number_of_workers() {
    for staleness in [0, 1, 4] {
        let one = Setting { staleness, ..Setting::default() };
        let (first, _) = whole(&one);
        same(&first, &whole(&one).0, "the same run again");
        for workers in [2, 3] {
            same(&first, &whole(&Setting { workers, ..one.clone() }).0, &format!("{workers} workers"));
        }
        let serialised = Setting { workers: 2, timely: vec!["-z".to_owned()], ..one.clone() };
        same(&first, &whole(&serialised).0, "serialised between workers");
        let other = Setting { seed: 4, ..one };
        assert_ne!(bits(&first), bits(&whole(&other).0));
    }
}

#[test]
fn a_run_that_was_cut_off_equals_one_that_was_not() {
    for staleness in [0, 1, 4] {
        let setting = Setting { staleness, workers: 2, ..Setting::default() };
        let (undisturbed, _) = whole(&setting);
        let (stored, folder) = (Stored::default(), tempfile::tempdir().unwrap());
        let mut skipped = Vec::new();
        for fails_at in [Some(0), Some(3), Some(9), None] {
            let attempted = attempt(&setting, Arc::new(Digits), &stored, folder.path(), fails_at);
            match fails_at {
                Some(_) => assert!(attempted.is_err()),
                None => skipped.push(attempted.unwrap().run.skipped),
            }
        }
        assert!((1..=9).contains(&skipped[0]), "{skipped:?}");
        same(&undisturbed, &stored, &format!("staleness {staleness}"));
        // What is done is not done again.
        let again = attempt(&setting, Arc::new(Digits), &stored, folder.path(), None).unwrap();
        assert_eq!((again.run.skipped, again.run.commits), (EPOCHS, 0));
        same(&undisturbed, &stored, "run again");
    }
}

#[test]
fn checkpoints_that_no_restart_needs_are_gone() {
    let setting = Setting { staleness: 4, ..Setting::default() };
    let (stored, folder) = (Stored::default(), tempfile::tempdir().unwrap());
    attempt(&setting, Arc::new(Digits), &stored, folder.path(), None).unwrap();
    let kept = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(kept, 5, "the newest and four before it");
}
