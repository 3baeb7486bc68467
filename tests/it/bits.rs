//! The same bits for any order of rows, batch boundaries, slices and number of workers.

use std::sync::Arc;

use arrow::array::RecordBatch;
use meed::MemorySink;
use meed_connectors::{Format, Location, read_batches, write_batches};
use meed_operators::columns::OnError;
use meed_operators::engine::RunOptions;
use meed_pipelines::stored::{AssignJob, RecipeSettings, Rejected, assign};
use meed_pipelines::{Kind, recipes as all_recipes};

use crate::support::{MemorySource, bits, rollouts, shuffled, shuffled_clustered};

/// Every recipe of advantages whose columns the synthetic data has; whitening over the batch too.
fn recipes() -> Vec<RecipeSettings> {
    let schema = meed_operators::columns::complete(rollouts(1, 11), "synthetic").expect("rollouts").schema();
    let mut chosen: Vec<RecipeSettings> = all_recipes()
        .filter(|recipe| recipe.kind == Kind::Advantage && recipe.ready(&[], &schema).is_ok())
        .map(RecipeSettings::from)
        .collect();
    assert!(chosen.len() > 20, "only {} recipes fit the data", chosen.len());
    for chosen in &mut chosen {
        if chosen.recipe.name == "gae" {
            chosen.settings.push(("whiten".into(), "batch_tokens".into()));
        }
        if chosen.recipe.name == "tempo" {
            chosen.settings.push(("scale".into(), "none".into()));
        }
    }
    chosen
}

#[test]
fn advantages_do_not_depend_on_order_batches_slices_or_workers() {
    let rows = rollouts(60, 11);
    let run = |rows: &RecordBatch, slice_groups: usize, batch_rows: usize, workers: usize| {
        let sink = MemorySink::default();
        let job = AssignJob {
            scores: None,
            recipes: recipes(),
            source: Arc::new(MemorySource::new(rows.clone(), slice_groups, batch_rows)),
            sink: Arc::new(sink.clone()),
            beside: Vec::new(),
            on_error: OnError::Fail,
            rejected: Rejected::default(),
        };
        let report = assign(job, &RunOptions::workers(workers)).expect("a run");
        assert_eq!(report.run.rows_in as usize, rows.num_rows());
        let rows = sink.rows();
        bits(&arrow::compute::concat_batches(&rows[0].schema(), &rows).expect("one schema"))
    };
    let expected = run(&rows, 1000, 8192, 1);
    assert_eq!(expected.len(), rows.num_rows() * recipes().len());
    let trained = expected.values().filter(|(_, loss, ..)| *loss).count();
    assert!(trained > expected.len() / 2, "most rollouts are in the loss: {trained} of {}", expected.len());
    for (seed, slice_groups, batch_rows, workers) in
        [(1, 1000, 8192, 1), (2, 7, 1, 1), (3, 5, 7, 2), (4, 3, 8192, 4), (5, 1, 7, 4), (6, 13, 1, 2)]
    {
        let other = run(&shuffled_clustered(&rows, seed), slice_groups, batch_rows, workers);
        for (key, wanted) in &expected {
            assert_eq!(
                &other[key], wanted,
                "{key:?} with slices of {slice_groups} groups, batches of {batch_rows} rows, {workers} workers"
            );
        }
    }
}

/// Runs the program on a file as so many processes, and returns the rows it wrote.
fn run_program(folder: &std::path::Path, from: &str, to: &str, processes: usize) -> RecordBatch {
    let names: Vec<&str> = recipes().iter().map(|chosen| chosen.recipe.name).collect();
    let listeners: Vec<std::net::TcpListener> =
        (0..processes).map(|_| std::net::TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    let hosts: Vec<String> =
        listeners.iter().map(|listener| listener.local_addr().expect("an address").to_string()).collect();
    std::fs::write(folder.join("hosts"), hosts.join("\n")).expect("a host file");
    drop(listeners);
    let children: Vec<std::process::Child> = (0..processes)
        .map(|process| {
            let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_meed"));
            program.current_dir(folder).args([
                "assign",
                "--recipe",
                &names.join(","),
                "--from",
                from,
                "--to",
                to,
                "--workers",
                "2",
                "--slice-bytes",
                "20000",
            ]);
            program.args(["--set", "gae.whiten=batch_tokens", "--set", "tempo.scale=none"]);
            if processes > 1 {
                program.args(["--", "-n", &processes.to_string(), "-p", &process.to_string(), "-h", "hosts"]);
            }
            program
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .expect("the program starts")
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().expect("the program ends");
        assert!(output.status.success(), "{from} -> {to}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let target = Location::parse(&folder.join(to).display().to_string()).expect("a path");
    let (schema, batches) = read_batches(&target, Format::Parquet, 4096).expect("the result");
    let batches: Vec<RecordBatch> = batches.map(|batch| batch.expect("a batch")).collect();
    arrow::compute::concat_batches(&schema, &batches).expect("one schema")
}

#[test]
fn two_processes_and_unclustered_rows_give_the_same_bits() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let rows = rollouts(150, 23);
    let write = |name: &str, rows: &RecordBatch, batch_rows: usize| {
        let target = Location::parse(&folder.path().join(name).display().to_string()).expect("a path");
        let cuts = (0..rows.num_rows())
            .step_by(batch_rows)
            .map(|first| Ok(rows.slice(first, batch_rows.min(rows.num_rows() - first))));
        write_batches(&target, Format::Parquet, &rows.schema(), cuts).expect("a file");
    };
    write("clustered.parquet", &rows, 8192);
    write("unclustered.parquet", &shuffled(&rows, 5), 7);
    let one = bits(&run_program(folder.path(), "clustered.parquet", "one.parquet", 1));
    assert_eq!(one.len(), rows.num_rows() * recipes().len());
    let two = bits(&run_program(folder.path(), "clustered.parquet", "two.parquet", 2));
    assert!(one == two, "two processes give other bits than one");
    let sorted = bits(&run_program(folder.path(), "unclustered.parquet", "sorted.parquet", 1));
    assert!(one == sorted, "unclustered rows give other bits than clustered ones");
    let both = bits(&run_program(folder.path(), "unclustered.parquet", "both.parquet", 2));
    assert!(one == both, "two processes on unclustered rows give other bits");
}
