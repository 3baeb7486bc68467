//! Judging stored rollouts: only what is missing or has changed is asked.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use meed_operators::columns::{OnError, role};
use meed_operators::engine::{RunOptions, RunReport, Sink, Source, Stage, StoredRun, execute};
use meed_operators::judge::{JudgeContext, Judges, Tally};
use meed_operators::{Error, Result};

use super::accepted::{Accepted, Rejected};
use super::answered::AnsweredScores;
use super::counts::share_counts;

/// What to judge, by whom, from where, to where.
pub struct JudgeJob {
    /// The judges. Their limit of calls is that of the process, whatever the number of workers.
    pub judges: Judges,
    /// What they may ask.
    pub context: JudgeContext,
    /// What was answered before.
    pub answered: AnsweredScores,
    /// Rollouts, clustered by (iteration, group_id).
    pub source: Arc<dyn Source>,
    /// Where rows of the scores table go.
    pub sink: Arc<dyn Sink>,
    /// What to do with rows that break an invariant.
    pub on_error: OnError,
    /// Where such rows go.
    pub rejected: Rejected,
}

/// What a job did.
#[derive(Debug, Clone)]
pub struct JudgeReport {
    /// Rows, epochs and commits.
    pub run: RunReport,
    /// Counts per judge, in their order.
    pub judges: Vec<(String, Tally)>,
}

/// Judges every rollout of the source by every judge, but for what was answered before.
///
/// # Errors
/// Bad rows unless they are skipped; faults of the source or the sink. What fails inside a judge is a
/// score with a status and a reason, and no error.
pub fn judge(job: JudgeJob, options: &RunOptions) -> Result<JudgeReport> {
    let source: Arc<dyn Source> = Arc::new(Accepted::new(job.source, job.on_error, job.rejected)?);
    let columns = columns(&source.schema(), &job.judges);
    let runtime = tokio::runtime::Builder::new_multi_thread().thread_name("meed:judge").enable_all().build();
    let runtime = runtime
        .map_err(|error| Error::external("starting threads", error, "allow this user more threads"))?;
    let names: Vec<String> = job.judges.judges().iter().map(|judge| judge.name().to_owned()).collect();
    let tallies = Arc::new(Mutex::new(vec![Tally::default(); names.len()]));
    let asking = Arc::new(Asking {
        runtime: Some(runtime),
        judges: job.judges,
        context: job.context,
        answered: job.answered,
        tallies: tallies.clone(),
    });
    let sink = job.sink;
    let reports = execute(options, move |session| {
        let asking = asking.clone();
        let make = move |_| -> Result<Box<dyn Stage>> { Ok(Box::new(JudgeStage(asking.clone()))) };
        let run = StoredRun {
            source: source.clone(),
            columns: columns.clone(),
            stage: Arc::new(make),
            sink: sink.clone(),
        };
        let report = session.run_stored(&run)?;
        Ok((report, share_counts(session, &tallies, Tally::merge)?))
    })?;
    let (run, tallies) =
        reports.into_iter().next().ok_or_else(|| Error::usage("no worker ran", "use at least one worker"))?;
    Ok(JudgeReport { run, judges: names.into_iter().zip(tallies).collect() })
}

/// What the judges read, and what tells how many elements their levels have.
fn columns(schema: &Schema, judges: &Judges) -> Vec<String> {
    let mut wanted: BTreeSet<String> = judges.reads().into_iter().collect();
    let keys = ["iteration", "group_id", "rollout_id", "token_mask"];
    let steps = ["step_ends", "step_kinds", "step_turns"];
    wanted.extend(keys.into_iter().chain(steps).map(str::to_owned));
    let levels = judges.judges().iter().flat_map(|judge| judge.level().split('.'));
    for level in levels.chain(["step"]) {
        let of_level = |name: &str, data_type| role(name, data_type).level() == Some(level);
        let mut fields = schema.fields().iter();
        let first = fields.find(|field| of_level(field.name(), field.data_type()));
        wanted.extend(first.map(|field| field.name().clone()));
        wanted.insert(format!("{level}_ends"));
    }
    wanted.retain(|name| schema.column_with_name(name).is_some());
    wanted.into_iter().collect()
}

/// What the workers of a process share.
struct Asking {
    runtime: Option<tokio::runtime::Runtime>,
    judges: Judges,
    context: JudgeContext,
    answered: AnsweredScores,
    tallies: Arc<Mutex<Vec<Tally>>>,
}

impl Drop for Asking {
    fn drop(&mut self) {
        // A judge that hangs on a thread of its own would hold up the end of the program.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct JudgeStage(Arc<Asking>);

impl Stage for JudgeStage {
    fn name(&self) -> &str {
        "judge"
    }

    fn apply(&mut self, _epoch: u64, unit: RecordBatch) -> Result<Vec<RecordBatch>> {
        let asking = &self.0;
        let Some(runtime) = &asking.runtime else {
            return Err(Error::usage("the judges' threads have ended", ""));
        };
        let answered = |question: meed_operators::judge::Question<'_>| asking.answered.answered(question);
        let (scores, counted) = runtime.block_on(asking.judges.score(&unit, &asking.context, answered))?;
        if let Ok(mut tallies) = asking.tallies.lock() {
            for (tally, counted) in tallies.iter_mut().zip(counted) {
                tally.merge(counted);
            }
        }
        Ok(Some(scores).filter(|scores| scores.num_rows() > 0).into_iter().collect())
    }
}
