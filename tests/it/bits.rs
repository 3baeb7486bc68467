//! The same bits for any order of rows, batch boundaries, slices and number of workers.

use std::sync::Arc;

use meed_operators::columns::OnError;
use meed_operators::engine::RunOptions;
use meed_pipelines::stored::{AssignJob, RecipeSettings, Rejected, assign};
use meed_pipelines::{Kind, RECIPES};

use crate::support::{MemorySink, MemorySource, bits, rollouts, shuffled_clustered};

/// Every recipe of advantages whose columns the synthetic data has; whitening over the batch too.
fn recipes() -> Vec<RecipeSettings> {
    let skip = ["gdpo", "on_policy_distillation", "step_reinforce"];
    let mut chosen: Vec<RecipeSettings> = RECIPES
        .iter()
        .filter(|recipe| recipe.kind == Kind::Advantage && !skip.contains(&recipe.name))
        .map(|recipe| RecipeSettings::from(*recipe))
        .collect();
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
    let run = |rows: &arrow::array::RecordBatch, slice_groups: usize, batch_rows: usize, workers: usize| {
        let sink = MemorySink::default();
        let job = AssignJob {
            recipes: recipes(),
            source: Arc::new(MemorySource::new(rows.clone(), slice_groups, batch_rows)),
            sink: Arc::new(sink.clone()),
            on_error: OnError::Fail,
            rejected: Rejected::default(),
        };
        let report = assign(job, &RunOptions::workers(workers)).expect("a run");
        assert_eq!(report.run.rows_in as usize, rows.num_rows());
        bits(&sink.rows())
    };
    let expected = run(&rows, 1000, 8192, 1);
    assert_eq!(expected.len(), rows.num_rows() * recipes().len());
    let trained = expected.values().filter(|(_, loss, ..)| *loss).count();
    assert!(trained > expected.len() / 2, "most rollouts are in the loss: {trained} of {}", expected.len());
    for (seed, slice_groups, batch_rows, workers) in [(1, 1000, 8192, 1), (2, 7, 1, 1), (3, 5, 7, 2), (4, 3, 8192, 4), (5, 1, 7, 4), (6, 13, 1, 2)] {
        let other = run(&shuffled_clustered(&rows, seed), slice_groups, batch_rows, workers);
        for (key, wanted) in &expected {
            assert_eq!(&other[key], wanted, "{key:?} with slices of {slice_groups} groups, batches of {batch_rows} rows, {workers} workers");
        }
    }
}
