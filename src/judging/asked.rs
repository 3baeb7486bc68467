//! Judges that are asked on the way to something else; their scores are not stored.

use std::sync::Arc;

use arrow::array::RecordBatch;
use meed_operators::columns::OnError;
use meed_operators::engine::{RunOptions, Source};
use meed_operators::judge::{Judge, JudgeContext, Judges, Tally};
use meed_operators::{Error, Result};
use meed_pipelines::stored::{AnsweredScores, JudgeJob, Rejected, judge};

use crate::memory_sink::MemorySink;

/// Rows of the scores table, and counts per judge.
pub(crate) type Answers = (Vec<RecordBatch>, Vec<(String, Tally)>);

/// Judges and what they may ask.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) judges: &'a [Arc<dyn Judge>],
    pub(crate) context: &'a JudgeContext,
}

impl Asked<'_> {
    /// Rows of the scores table for all rollouts, and counts per judge. Bad rows are reported by who reads
    /// the rollouts next.
    pub(crate) fn ask(
        &self,
        source: Arc<dyn Source>,
        on_error: OnError,
        options: &RunOptions,
    ) -> Result<Answers> {
        let (judges, sink) = (answerable(self.judges, self.context)?, MemorySink::default());
        let job = JudgeJob {
            judges,
            context: self.context.clone(),
            answered: AnsweredScores::default(),
            source,
            sink: Arc::new(sink.clone()),
            on_error,
            rejected: Rejected::default(),
        };
        let report = judge(job, options)?;
        Ok((sink.rows(), report.judges))
    }
}

/// The judges together.
///
/// # Errors
/// None, one twice, or one that asks a model where there is none.
pub(super) fn answerable(judges: &[Arc<dyn Judge>], context: &JudgeContext) -> Result<Judges> {
    if judges.is_empty() {
        return Err(Error::usage("no judge was chosen", "docs/judges.md lists them"));
    }
    let asks = judges.iter().find(|judge| judge.asks_policy());
    if let Some(judge) = asks
        && (context.policy.is_none() || context.tokenizer.is_none())
    {
        return Err(Error::usage(
            format!("judge {} asks a model, and there is none", judge.name()),
            "name a model directory with --model, or give a policy and a tokenizer with `context`",
        ));
    }
    Judges::new(judges.to_vec())
}
