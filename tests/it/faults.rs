//! Killed programs: a run that is cut short at any point goes on where it stopped.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use meed_catalog::{Catalog, SqlOptions};
use meed_connectors::{Format, Location, write_batches};
use tempfile::TempDir;

use crate::support::{Random, bits, rollouts};

fn assign(folder: &TempDir, to: &str) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_meed"));
    program
        .current_dir(folder.path())
        .args(["assign", "--recipe", "grpo,reinforce_pp,tempo", "--from", "rollouts.parquet", "--to", to])
        .args(["--workers", "2", "--slice-bytes", "4000", "--commit-bytes", "20000"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    program
}

fn query(folder: &TempDir, query: &str) -> RecordBatch {
    let catalog = Catalog::open(&folder.path().join("meed-data").display().to_string()).expect("a catalog");
    let rows = catalog.sql(query, &SqlOptions::default()).expect("a query");
    arrow::compute::concat_batches(&rows[0].schema(), &rows).expect("one schema")
}

fn advantages(folder: &TempDir, dataset: &str) -> RecordBatch {
    query(folder, &format!("select * from {dataset}_advantages"))
}

/// The nodes of the trees, in an order that does not depend on who wrote them when.
fn nodes(folder: &TempDir, dataset: &str) -> RecordBatch {
    query(folder, &format!("select * from {dataset}_nodes order by iteration, group_id, node_id, recipe"))
}

#[test]
fn a_killed_run_resumes_and_misses_and_repeats_nothing() {
    let folder = TempDir::new().expect("a temporary folder");
    let rows = rollouts(400, 5);
    let target =
        Location::parse(&folder.path().join("rollouts.parquet").display().to_string()).expect("a path");
    write_batches(&target, Format::Parquet, &rows.schema(), [Ok(rows.clone())]).expect("a file");

    let began = Instant::now();
    let output = assign(&folder, "undisturbed").output().expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let whole = began.elapsed();
    let expected = bits(&advantages(&folder, "undisturbed"));
    assert_eq!(expected.len(), 3 * rows.num_rows());

    let catalog = Catalog::open(&folder.path().join("meed-data").display().to_string()).expect("a catalog");
    let commits = catalog.history("undisturbed_advantages").expect("a history").len();
    assert!(commits > 4, "a run of {commits} commits has no middle to be killed in");

    let mut random = Random(17);
    let (mut killed, mut attempts) = (0, 0);
    loop {
        attempts += 1;
        assert!(attempts < 60, "the run makes no progress");
        let mut child = assign(&folder, "disturbed").spawn().expect("the program starts");
        let patience = whole.mul_f64(0.2 + random.unit());
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child") {
                break Some(status);
            }
            if began.elapsed() > patience && killed < 8 {
                child.kill().expect("kill -9");
                child.wait().expect("a dead child");
                break None;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        match status {
            None => killed += 1,
            Some(status) => {
                assert!(status.success(), "attempt {attempts} failed");
                if killed >= 2 {
                    break;
                }
                // It was quicker than the kill: begin another run of the same rows.
                for table in ["advantages", "nodes"] {
                    std::fs::remove_dir_all(folder.path().join(format!("meed-data/disturbed_{table}")))
                        .expect("the dataset");
                }
            }
        }
    }
    println!("{killed} kills, {attempts} attempts");
    let rows = advantages(&folder, "disturbed");
    assert!(bits(&rows) == expected, "after {killed} kills the rows differ from an undisturbed run");
    let (expected, rows) = (nodes(&folder, "undisturbed"), nodes(&folder, "disturbed"));
    assert!(expected.num_rows() > 400 && rows == expected, "after {killed} kills the nodes differ");
}
