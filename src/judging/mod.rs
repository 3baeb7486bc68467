//! Judging stored rollouts, as a value that is built step by step and then run.

mod asked;
mod model;
mod report;
mod run;

pub(crate) use asked::Asked;
pub use model::model_context;
pub use report::JudgingReport;

use std::sync::Arc;
use std::time::Duration;

use meed_operators::Result;
use meed_operators::engine::Sink;
use meed_operators::judge::{Judge, JudgeContext};
use meed_pipelines::make_judges;
use serde_json::Value;

use crate::address::Address;
use crate::pipeline::Notes;
use crate::run_settings::{RunSettings, run_setters};
use crate::target::Target;

/// Judges the rollouts of a dataset or file into a scores dataset or file. Nothing happens before
/// [`Judging::run`].
///
/// Only what is missing or has changed is asked: where the latest score of a rollout by a judge is of
/// the same version and parameters of the judge and of the same content, it stays. Judgements that
/// failed are asked for again.
///
/// ```
/// use meed::prelude::*;
/// # let folder = tempfile::tempdir().unwrap();
/// # let (rollouts, scores) = (folder.path().join("rollouts.jsonl"), folder.path().join("scores.parquet"));
/// # let (rollouts, scores) = (rollouts.to_str().unwrap(), scores.to_str().unwrap());
/// # std::fs::write(rollouts, "{\"group_id\": \"g\", \"rollout_id\": \"a\", \"response\": \"so 18\", \"reference\": \"18\"}").unwrap();
/// let judge = || Judging::from(rollouts)?.judges(&["numeric"], &[])?.to(scores)?.run();
/// let (first, again) = (judge()?, judge()?);
/// assert_eq!((first.judged.judges[0].1.asked, again.judged.judges[0].1.asked), (1, 0));
/// # Ok::<(), meed::Error>(())
/// ```
pub struct Judging {
    from: Address,
    to: Option<Target>,
    judges: Vec<Arc<dyn Judge>>,
    context: JudgeContext,
    concurrency: Option<usize>,
    deadline: Option<Duration>,
    new_run: bool,
    notes: Notes,
    run: RunSettings,
}

impl Judging {
    /// Begins with a dataset (`gsm8k`, `gsm8k@3`), a file, a directory of Parquet files or a URI.
    ///
    /// # Errors
    /// See [`Address::parse`]. Whether it exists is found out when it runs.
    pub fn from(dataset_or_file: &str) -> Result<Self> {
        Ok(Judging {
            from: Address::parse(dataset_or_file)?,
            to: None,
            judges: Vec::new(),
            context: JudgeContext::default(),
            concurrency: None,
            deadline: None,
            new_run: false,
            notes: Arc::new(|_| ()),
            run: RunSettings::new("Judging::run"),
        })
    }

    /// Adds a judge of one's own.
    pub fn judge(mut self, judge: Arc<dyn Judge>) -> Self {
        self.judges.push(judge);
        self
    }

    /// Adds judges of meed by their names. A setting `judge.key` is for that judge, and `key` for every
    /// one of them that has such a parameter.
    ///
    /// # Errors
    /// Unknown names, parameters or values.
    pub fn judges(mut self, names: &[&str], settings: &[(String, Value)]) -> Result<Self> {
        self.judges.extend(make_judges(names, settings)?);
        Ok(self)
    }

    /// What judges may ask: a policy with its tokenizer, for likelihoods.
    pub fn context(mut self, context: JudgeContext) -> Self {
        self.context = context;
        self
    }

    /// At most so many calls of judges at a time, in each process.
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = Some(calls);
        self
    }

    /// Time that each call has for its answer.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Ends in a dataset, whose scores are `<name>_scores`, or a file. To a dataset, new scores are
    /// added; a file is written anew, with those that stay and the new ones of the rollouts at hand.
    ///
    /// # Errors
    /// As [`Judging::from`].
    pub fn to(mut self, dataset_or_file: &str) -> Result<Self> {
        self.to = Some(Target::Address(Address::parse(dataset_or_file)?));
        Ok(self)
    }

    /// Ends in a sink of one's own, which takes rows of the scores table. Everything is asked.
    pub fn sink(mut self, sink: Arc<dyn Sink>) -> Self {
        self.to = Some(Target::Sink(sink));
        self
    }

    /// Asks everything, whether or not it was answered before.
    pub fn new_run(mut self, new_run: bool) -> Self {
        self.new_run = new_run;
        self
    }

    /// Who hears what a run does besides judging: copying, sorting.
    pub fn notes(mut self, notes: Notes) -> Self {
        self.notes = notes;
        self
    }
}

run_setters!(Judging);
