//! `meed train` as a user runs it: what it writes, what it says, and what a kill does to it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Float64Type, Int64Type};
use meed::{MemorySink, Pipeline, recipe};
use meed_catalog::{Catalog, SqlOptions};
use tempfile::TempDir;

use crate::support::{Random, bits};

/// A run that takes a second or two: a network of a few thousand weights.
fn train(folder: &TempDir, to: &str, more: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_meed"));
    program
        .current_dir(folder.path())
        .args(["train", "--task", "arithmetic", "--difficulty", "1", "--model", "32x1x2x64", "--to", to])
        .args(["--prompts", "6", "--group-size", "4", "--warm-up", "250"])
        .args(["--held-out", "16", "--commit-interval", "0"])
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if !more.contains(&"--iterations") {
        program.args(["--iterations", "12"]);
    }
    program
}

fn run(folder: &TempDir, to: &str, more: &[&str]) -> Output {
    let output = train(folder, to, more).output().expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn catalog(folder: &TempDir) -> Catalog {
    Catalog::open(&folder.path().join("meed-data").display().to_string()).expect("a catalog")
}

fn rows(folder: &TempDir, query: &str) -> RecordBatch {
    let rows = catalog(folder).sql(query, &SqlOptions::default()).expect("a query");
    concat_batches(&rows[0].schema(), &rows).expect("one schema")
}

/// Everything that a run has computed, as text by table; how long it took is left out.
fn computed(folder: &TempDir, dataset: &str) -> BTreeMap<&'static str, Vec<String>> {
    let tables =
        [("rollouts", ""), ("scores", "_scores"), ("advantages", "_advantages"), ("updates", "_updates")];
    let table = |(name, suffix): (&'static str, &str)| {
        let rows = rows(folder, &format!("select * from {dataset}{suffix}"));
        let timed = |name: &str| name == "wall_ms" || name == "latency_ms";
        let columns = || rows.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
        let text = |row: usize| -> String {
            let columns = columns().into_iter().filter(|name| !timed(name));
            columns.map(|name| format!("{name} {:?}", rows[name.as_str()].slice(row, 1))).collect()
        };
        let mut lines: Vec<String> = (0..rows.num_rows()).map(text).collect();
        lines.sort();
        (name, lines)
    };
    tables.map(table).into_iter().collect()
}

#[test]
fn everything_is_written_and_what_is_suggested_can_be_asked() {
    let folder = TempDir::new().expect("a temporary folder");
    let output = run(&folder, "sums", &["--prometheus", "metrics.prom"]);
    let (said, table) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert!(table.contains("iteration") && table.contains("held-out after training"), "{table}");

    let written = computed(&folder, "sums");
    for (name, wanted) in [("rollouts", 288), ("scores", 288), ("advantages", 288), ("updates", 12)] {
        assert_eq!(written[name].len(), wanted, "{name}");
    }
    let rollouts = rows(&folder, "select * from sums");
    assert!(rollouts["token_rollout_logprobs"].null_count() == 0 && rollouts["reward"].null_count() == 0);
    let updates = rows(&folder, "select * from sums_updates order by step");
    let steps = updates["step"].as_primitive::<Int64Type>();
    assert_eq!(steps.values().to_vec(), (0..12).collect::<Vec<i64>>());
    for column in ["loss", "entropy", "grad_norm", "reward_mean", "wall_ms"] {
        let values = updates[column].as_primitive::<Float64Type>();
        assert!(values.iter().all(|value| value.is_some_and(f64::is_finite)), "{column}");
    }
    let metrics = std::fs::read_to_string(folder.path().join("metrics.prom")).expect("metrics");
    assert!(metrics.contains("meed_iteration") && metrics.contains("meed_pass_rate"), "{metrics}");

    let asked = format!("{} sql \"", env!("CARGO_BIN_EXE_meed"));
    let queries: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix(&asked)).collect();
    assert_eq!(queries.len(), 3, "{said}");
    for query in queries {
        let query = query.trim_end_matches('"');
        let found = catalog(&folder).sql(query, &SqlOptions::default()).expect("a query that works");
        assert!(found.iter().map(RecordBatch::num_rows).sum::<usize>() > 0, "{query} finds nothing");
    }

    // The same command again has nothing to do, and another one may not write there.
    let again = run(&folder, "sums", &["--prometheus", "metrics.prom"]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("is done already"));
    assert_eq!(computed(&folder, "sums"), written);
    let other = train(&folder, "sums", &["--seed", "1"]).output().expect("the program runs");
    assert_eq!(other.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&other.stderr).contains("--to"));
}

/// No prompt that is trained on is among those that the policy is tried on.
#[test]
fn no_held_out_prompt_occurs_in_training() {
    let folder = TempDir::new().expect("a temporary folder");
    run(&folder, "sums", &[]);
    let task = meed::pipelines::tasks::find_task("arithmetic").expect("a task");
    let problems = meed::pipelines::tasks::Problems::new(task, 1, 0).expect("problems");
    let held_out = problems.held_out(1000).expect("a held-out set");
    let trained = rows(&folder, "select distinct prompt from sums");
    for prompt in trained["prompt"].as_string::<i32>().iter().flatten() {
        assert!(held_out.iter().all(|held_out| held_out.text != prompt), "{prompt}");
    }
}

#[test]
fn stored_rollouts_of_a_run_get_the_same_advantages_again() {
    let folder = TempDir::new().expect("a temporary folder");
    for recipe_name in ["grpo", "tempo"] {
        run(&folder, recipe_name, &["--recipe", recipe_name, "--staleness", "1"]);
        let sink = MemorySink::default();
        Pipeline::from(recipe_name)
            .and_then(|pipeline| Ok(pipeline.assign(recipe(recipe_name)?)))
            .map(|pipeline| pipeline.catalog(&folder.path().join("meed-data").display().to_string()))
            .and_then(|pipeline| pipeline.sink(std::sync::Arc::new(sink.clone())).run())
            .expect("an assignment");
        let stored = sink.rows();
        let stored = concat_batches(&stored[0].schema(), &stored).expect("one schema");
        let live = rows(&folder, &format!("select * from {recipe_name}_advantages"));
        assert!(bits(&live) == bits(&stored), "{recipe_name}: live and stored advantages differ");
    }
    assert!(rows(&folder, "select * from tempo_nodes").num_rows() > 100);
}

#[test]
fn workers_do_not_change_a_bit() {
    let folder = TempDir::new().expect("a temporary folder");
    run(&folder, "one", &["--workers", "1"]);
    run(&folder, "two", &["--workers", "2"]);
    run(&folder, "again", &["--workers", "2"]);
    assert_eq!(computed(&folder, "one"), computed(&folder, "two"));
    assert_eq!(computed(&folder, "one"), computed(&folder, "again"));
}

/// Kills the program as soon as it says that it has come so far; false where it ended before.
fn kill_at(mut program: Command, iteration: u64) -> bool {
    let mut child = program.stdout(Stdio::null()).spawn().expect("a start");
    let said = BufReader::new(child.stderr.take().expect("what it says"));
    let reached = said.lines().map_while(Result::ok).any(|line| {
        let number = line.strip_prefix("iteration ").and_then(|rest| rest.split(' ').next()?.parse().ok());
        number.is_some_and(|number: u64| number >= iteration)
    });
    // SIGKILL. What it does between saying so and dying differs from run to run.
    child.kill().expect("kill -9");
    child.wait().expect("a dead child");
    reached
}

#[test]
fn a_killed_run_equals_one_that_was_not() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut random = Random(23);
    for staleness in ["0", "1", "4"] {
        let more = ["--staleness", staleness, "--workers", "2", "--iterations", "30"];
        let (whole, killed) = (format!("whole{staleness}"), format!("killed{staleness}"));
        run(&folder, &whole, &more);
        for iteration in [2 + random.below(6), 10 + random.below(6), 18 + random.below(6)] {
            assert!(kill_at(train(&folder, &killed, &more), iteration), "it was not killed at {iteration}");
        }
        let output = run(&folder, &killed, &more);
        assert!(String::from_utf8_lossy(&output.stderr).contains("of an earlier attempt"), "it began anew");
        assert_eq!(computed(&folder, &whole), computed(&folder, &killed), "staleness {staleness}");
    }
}

/// What was cut off before its first commit leaves checkpoints and no dataset; another run is not to begin
/// with its weights.
#[test]
fn a_run_does_not_begin_with_the_weights_of_another() {
    let folder = TempDir::new().expect("a temporary folder");
    run(&folder, "plain", &["--seed", "2"]);
    run(&folder, "sums", &["--seed", "1"]);
    for table in ["sums", "sums_scores", "sums_nodes", "sums_advantages", "sums_updates"] {
        std::fs::remove_dir_all(folder.path().join("meed-data").join(table)).expect("a dataset");
    }
    run(&folder, "sums", &["--seed", "2"]);
    assert_eq!(computed(&folder, "sums"), computed(&folder, "plain"));
}

#[test]
fn what_does_not_fit_is_a_usage_error() {
    let folder = TempDir::new().expect("a temporary folder");
    for (more, text) in [
        (&["--task", "chess"][..], "arithmetic"),
        (&["--difficulty", "99"], "digits"),
        (&["--recipe", "grppo"], "grpo"),
        (&["--objective", "pppo"], "ppo_clip"),
        (&["--schedule", "sometimes"], "cosine"),
        (&["--model", "huge"], "small"),
        (&["--optimizer", "sgd"], "galore"),
        (&["--strategy", "greedy"], "refill"),
        (&["--set", "objective.clip_hihg=1"], "clip_high"),
        (&["--", "-n", "2", "-p", "0"], "one process"),
    ] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_meed"));
        let output = program.current_dir(folder.path()).arg("train").args(more).output().expect("a program");
        assert_eq!(output.status.code(), Some(2), "{more:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(text), "{more:?}: {said}");
        assert!(output.stdout.is_empty());
    }
}
