//! Assigning credit to stored rollouts by several recipes in one reading.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use arrow::datatypes::Schema;
use meed_operators::columns::{OnError, Table};
use meed_operators::engine::{
    Observer, RunOptions, RunReport, Session, Sink, Source, Stage, StoredRun, Tables, execute,
};
use meed_operators::{Error, Result};
use serde_json::Value;

use super::accepted::{Accepted, Rejected};
use super::counts::share_counts;
use super::join_scores::{ScoreIndex, WithScores};
use super::stage::{AssignStage, ObserveStage, merged};
use super::summary::Summary;
use crate::ready::{Known, Ready};
use crate::recipe::{Kind, Recipe};

/// A recipe with its settings.
#[derive(Debug, Clone)]
pub struct RecipeSettings {
    /// The recipe.
    pub recipe: Recipe,
    /// Parameters and bindings, in order.
    pub settings: Vec<(String, Value)>,
}

impl From<&Recipe> for RecipeSettings {
    fn from(recipe: &Recipe) -> Self {
        RecipeSettings { recipe: *recipe, settings: Vec::new() }
    }
}

/// What to assign, from where, to where.
pub struct AssignJob {
    /// The recipes; the data is read once for all of them.
    pub recipes: Vec<RecipeSettings>,
    /// Rollouts, clustered by (iteration, group_id).
    pub source: Arc<dyn Source>,
    /// Where rows of the advantages table go.
    pub sink: Arc<dyn Sink>,
    /// Where rows of the tables of [`tables_beside`] go. They are committed before the advantages, in this
    /// order; without a sink they are let go.
    pub beside: Vec<(Table, Arc<dyn Sink>)>,
    /// Scores that are joined as signals.
    pub scores: Option<Arc<ScoreIndex>>,
    /// What to do with rows that break an invariant.
    pub on_error: OnError,
    /// Where such rows go.
    pub rejected: Rejected,
}

/// What a job did.
#[derive(Debug, Clone)]
pub struct AssignReport {
    /// Rows of the advantages table, epochs and commits.
    pub run: RunReport,
    /// Rows of the other tables.
    pub beside: Vec<(Table, u64)>,
    /// Counts per recipe, in the order of the job; empty for epochs that were committed before.
    pub recipes: Vec<(String, Summary)>,
}

impl AssignReport {
    /// One warning per recipe that cannot produce signal on this data.
    pub fn warnings(&self) -> Vec<String> {
        self.recipes.iter().filter_map(|(name, summary)| summary.warning(name)).collect()
    }
}

/// A source as recipes see it: completed, checked, and with the scores as signals.
///
/// # Errors
/// See [`Accepted::new`].
pub fn readable(
    source: Arc<dyn Source>,
    on_error: OnError,
    rejected: Rejected,
    scores: &Option<Arc<ScoreIndex>>,
) -> Result<Arc<dyn Source>> {
    let accepted: Arc<dyn Source> = Arc::new(Accepted::new(source, on_error, rejected)?);
    Ok(match scores {
        Some(scores) => Arc::new(WithScores::new(accepted, scores.clone())),
        None => accepted,
    })
}

/// Assigns credit to every rollout of the source: one row per rollout and recipe.
///
/// Batch statistics are gathered in scans of their own before the main run. Results are the same
/// bits for any number of workers and processes and any order of rows inside a group.
///
/// # Errors
/// A recipe that does not fit the data (before anything is read); bad rows unless they are
/// skipped; faults of the recipe, the source or the sink, with their place.
pub fn assign(job: AssignJob, options: &RunOptions) -> Result<AssignReport> {
    let source = readable(job.source.clone(), job.on_error, job.rejected, &job.scores)?;
    let quiet = readable(job.source, job.on_error, Rejected::default(), &job.scores)?;
    let (ready, mut columns) = prepare(&job.recipes, &source.schema())?;
    let names: Vec<String> = ready.iter().map(|ready| ready.assignment.recipe.clone()).collect();
    let kept: Vec<Table> = job.beside.iter().map(|(table, _)| *table).collect();
    let beside = !kept.is_empty();
    if beside {
        let told = OF_NODES.iter().filter(|name| source.schema().column_with_name(name).is_some());
        columns.extend(told.map(|&name| name.to_owned()));
        columns.sort();
        columns.dedup();
    }
    let sink: Arc<dyn Sink> = match beside {
        false => job.sink,
        true => {
            Arc::new(Tables::new(job.beside.into_iter().chain([(Table::Advantages, job.sink)]).collect())?)
        }
    };
    let ready = Arc::new(ready);
    let count = ready.len();
    let summaries = Arc::new(Mutex::new(vec![Summary::default(); count]));
    let shared = summaries.clone();
    let reports = execute(options, move |session| {
        let known = gather_known(session, &ready, &quiet, &columns)?;
        let (ready, known, summaries) = (ready.clone(), Arc::new(known), shared.clone());
        let make = move |_| -> Result<Box<dyn Stage>> {
            Ok(Box::new(AssignStage {
                ready: ready.clone(),
                known: known.clone(),
                summaries: summaries.clone(),
                beside,
            }))
        };
        let run = StoredRun {
            source: source.clone(),
            columns: columns.clone(),
            stage: Arc::new(make),
            sink: sink.clone(),
        };
        let report = session.run_stored(&run)?;
        let whole = share_counts(session, &shared, Summary::merge)?;
        Ok((report, whole))
    })?;
    let (mut run, summaries) =
        reports.into_iter().next().ok_or_else(|| Error::usage("no worker ran", "use at least one worker"))?;
    let rows = |table: Table| {
        summaries.iter().filter_map(|summary: &Summary| summary.beside.get(table.name())).sum::<u64>()
    };
    let beside: Vec<(Table, u64)> = kept.into_iter().map(|table| (table, rows(table))).collect();
    run.rows_out -= beside.iter().map(|(_, rows)| rows).sum::<u64>();
    Ok(AssignReport { run, beside, recipes: names.into_iter().zip(summaries).collect() })
}

/// What a row of a tree is told by, beside the columns that the recipe reads.
const OF_NODES: [&str; 4] = ["step_actions", "step_ends", "step_kinds", "step_texts"];

/// The tables of which the recipes give rows beside advantages, in the order in which they are committed.
///
/// # Errors
/// See [`assign`].
pub fn tables_beside(recipes: &[RecipeSettings], source: &dyn Source) -> Result<Vec<Table>> {
    let (ready, _) = prepare(recipes, &source.schema())?;
    let given = |table: &Table| ready.iter().any(|ready| ready.tables().contains(table));
    Ok([Table::Nodes, Table::Edges].into_iter().filter(given).collect())
}

/// Makes recipes ready for the data, and names the columns that they read.
///
/// # Errors
/// A recipe that gives no advantage, or does not fit the data.
pub(crate) fn prepare(recipes: &[RecipeSettings], schema: &Schema) -> Result<(Vec<Ready>, Vec<String>)> {
    let mut ready = Vec::with_capacity(recipes.len());
    for chosen in recipes {
        if chosen.recipe.kind != Kind::Advantage {
            return Err(Error::usage(
                format!(
                    "recipe {} gives a {}, not an advantage",
                    chosen.recipe.name,
                    chosen.recipe.kind.name()
                ),
                "`meed recipes` says what each one gives",
            ));
        }
        ready.push(chosen.recipe.ready(&chosen.settings, schema)?);
    }
    let columns: BTreeSet<String> =
        ready.iter().flat_map(|ready| ready.assignment.checked.columns.iter().cloned()).collect();
    let present = |name: &String| schema.column_with_name(name).is_some();
    Ok((ready, columns.into_iter().filter(present).collect()))
}

/// What every recipe knows of the data once all passes over the source are done.
///
/// # Errors
/// The fault that ended the run.
pub(crate) fn gather_known(
    session: &mut Session,
    ready: &Arc<Vec<Ready>>,
    source: &Arc<dyn Source>,
    columns: &[String],
) -> Result<Vec<Known>> {
    let count = ready.len();
    let passes = ready.iter().map(Ready::passes).max().unwrap_or(0);
    let mut known = vec![Known::default(); count];
    for pass in 0..passes {
        let (observed, so_far) = (ready.clone(), Arc::new(known.clone()));
        let make = move |_| -> Result<Box<dyn Observer>> {
            let seen = vec![Default::default(); count];
            Ok(Box::new(ObserveStage { ready: observed.clone(), known: so_far.clone(), pass, seen }))
        };
        let parts = session.gather(source, columns, &(Arc::new(make) as _))?;
        for ((ready, known), seen) in ready.iter().zip(&mut known).zip(merged(&parts, count)?) {
            if ready.passes() > pass {
                ready.conclude(pass, seen, known)?;
            }
        }
    }
    Ok(known)
}
