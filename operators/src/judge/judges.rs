//! Several judges asked about many rollouts at once, with a limit and a deadline.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field};
use futures::StreamExt;
use tokio::sync::Semaphore;

use super::ask::ask;
use super::hash::input_hash;
use super::scores::{ScoreRows, iteration, key, signal, status};
use super::{Failure, Judge, JudgeContext, Judged, Judgement, Tally};
use crate::columns::with_columns;
use crate::credit::{Level, ROLLOUT};
use crate::{Error, Result};

/// What is asked of a judge, by the keys of a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question<'a> {
    /// Iteration of the rollout.
    pub iteration: i64,
    /// Its group.
    pub group_id: &'a str,
    /// Its id.
    pub rollout_id: &'a str,
    /// The judge.
    pub judge: &'a str,
    /// The judge's version.
    pub version: &'a str,
    /// Hash of everything that the judgement depends on.
    pub input_hash: &'a str,
}

/// Whether a question was answered before.
#[derive(Debug, Clone, PartialEq)]
pub enum Answered {
    /// No: ask.
    No,
    /// Yes, and its rows are where they belong.
    Stored,
    /// Yes, and its rows are to be written again.
    Again(Judgement),
}

/// Rollouts with what judges said of them.
#[derive(Debug, Clone)]
pub struct JudgedBatch {
    /// The rollouts in the same order, with a signal per judge: `<judge>` at rollout level, else
    /// `<level>_<judge>`; null where the judge failed. With a reward judge, `reward` is its score
    /// and `reward_status` says why it is null.
    pub rollouts: RecordBatch,
    /// Rows of the scores table: by rollout, then judge, then element.
    pub scores: RecordBatch,
}

/// Judges that are asked together.
///
/// Every judgement is a call of its own, beside the others, of which at most [`concurrency`] run at a
/// time over all batches. A call that has no answer by its [`deadline`], errs, panics, or answers
/// something that is no score becomes a null with a status and a reason. A failure never fails the
/// batch and is never a 0. Results do not depend on the order in which calls end.
///
/// Needs to run inside a tokio runtime with its timer on. A judge that [blocks](Judge::blocks) and
/// hangs keeps its thread after the deadline, because threads cannot be stopped from outside.
///
/// [`concurrency`]: Judges::concurrency
/// [`deadline`]: Judges::deadline
#[derive(Clone)]
pub struct Judges {
    judges: Vec<Arc<dyn Judge>>,
    concurrency: usize,
    limit: Arc<Semaphore>,
    deadline: Duration,
    reward: Option<String>,
}

/// Calls in flight unless said otherwise.
const CONCURRENCY: usize = 16;
/// Time for a call unless said otherwise.
const DEADLINE: Duration = Duration::from_secs(60);

impl Judges {
    /// Judges with the usual limit (16 calls at a time) and deadline (60 s), and no reward judge.
    ///
    /// # Errors
    /// Two judges of one name.
    pub fn new(judges: Vec<Arc<dyn Judge>>) -> Result<Self> {
        for (index, judge) in judges.iter().enumerate() {
            if judges[..index].iter().any(|other| other.name() == judge.name()) {
                return Err(Error::usage(
                    format!("judge {} is chosen twice", judge.name()),
                    "scores are told apart by the name of their judge; ask for one after the other",
                ));
            }
        }
        let limit = Arc::new(Semaphore::new(CONCURRENCY));
        Ok(Judges { judges, concurrency: CONCURRENCY, limit, deadline: DEADLINE, reward: None })
    }

    /// At most so many calls at a time, at least one.
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = calls.clamp(1, Semaphore::MAX_PERMITS);
        self.limit = Arc::new(Semaphore::new(self.concurrency));
        self
    }

    /// Time that each call has for its answer, counted from its begin.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The judge at rollout level whose score is the `reward`.
    ///
    /// # Errors
    /// It is not among the judges, or at another level.
    pub fn reward(mut self, name: &str) -> Result<Self> {
        let judge = self.judges.iter().find(|judge| judge.name() == name);
        let judge = judge.ok_or_else(|| {
            Error::usage(format!("the reward judge {name} is not among the judges"), "add it to them")
        })?;
        if judge.level() != ROLLOUT.name() {
            return Err(Error::usage(
                format!("judge {name} scores at level {}, and the reward is of the rollout", judge.level()),
                "choose a judge at rollout level",
            ));
        }
        self.reward = Some(name.to_owned());
        Ok(self)
    }

    /// The judges.
    pub fn judges(&self) -> &[Arc<dyn Judge>] {
        &self.judges
    }

    /// Columns that one of the judges reads, sorted.
    pub fn reads(&self) -> Vec<String> {
        let mut columns: Vec<String> = self.judges.iter().flat_map(|judge| judge.reads()).collect();
        columns.sort();
        columns.dedup();
        columns
    }

    /// Asks all judges about all rollouts.
    ///
    /// # Errors
    /// Rollouts without their keys. What goes wrong inside a judge is in the scores.
    pub async fn judge(&self, rollouts: RecordBatch, context: &JudgeContext) -> Result<JudgedBatch> {
        let (judgements, _) = self.ask(&rollouts, context, |_| Answered::No).await?;
        let scores = self.rows(&rollouts, &judgements)?;
        let rollouts = self.widened(rollouts, &judgements)?;
        Ok(JudgedBatch { rollouts, scores })
    }

    /// Asks what was not answered before, and returns rows of the scores table and counts per judge.
    ///
    /// # Errors
    /// As [`Judges::judge`].
    pub async fn score(
        &self,
        rollouts: &RecordBatch,
        context: &JudgeContext,
        answered: impl Fn(Question<'_>) -> Answered,
    ) -> Result<(RecordBatch, Vec<Tally>)> {
        let (judgements, tallies) = self.ask(rollouts, context, answered).await?;
        Ok((self.rows(rollouts, &judgements)?, tallies))
    }

    /// A judgement per row and judge, none where it is stored; and counts per judge.
    async fn ask(
        &self,
        rollouts: &RecordBatch,
        context: &JudgeContext,
        answered: impl Fn(Question<'_>) -> Answered,
    ) -> Result<(Vec<Vec<Option<Judgement>>>, Vec<Tally>)> {
        let rows = rollouts.num_rows();
        let mut tallies = vec![Tally::default(); self.judges.len()];
        let mut judgements = vec![vec![None; self.judges.len()]; rows];
        let mut questions = Vec::new();
        for (row, of_row) in judgements.iter_mut().enumerate() {
            for (index, judge) in self.judges.iter().enumerate() {
                let hash = input_hash(judge.as_ref(), context, rollouts, row);
                let question = Question {
                    iteration: iteration(rollouts, row)?,
                    group_id: key(rollouts, "group_id", row)?,
                    rollout_id: key(rollouts, "rollout_id", row)?,
                    judge: judge.name(),
                    version: judge.version(),
                    input_hash: &hash,
                };
                match answered(question) {
                    Answered::No => questions.push((row, index, hash)),
                    Answered::Stored => tallies[index].skipped += 1,
                    Answered::Again(judgement) => {
                        tallies[index].skipped += 1;
                        of_row[index] = Some(judgement);
                    }
                }
            }
        }
        let calls = questions.into_iter().map(|(row, index, input_hash)| async move {
            // The limit holds for all batches that are judged at the same time.
            let _permit = self.limit.acquire().await;
            let (scores, latency_ms) = ask(&self.judges[index], rollouts, row, context, self.deadline).await;
            (row, index, Judgement { scores, latency_ms: Some(latency_ms), input_hash })
        });
        let mut answers = futures::stream::iter(calls).buffer_unordered(self.concurrency);
        while let Some((row, index, judgement)) = answers.next().await {
            tallies[index].add(&judgement);
            judgements[row][index] = Some(judgement);
        }
        Ok((judgements, tallies))
    }

    fn rows(&self, rollouts: &RecordBatch, judgements: &[Vec<Option<Judgement>>]) -> Result<RecordBatch> {
        let mut rows = ScoreRows::of(rollouts);
        for (row, of_row) in judgements.iter().enumerate() {
            for (judge, judgement) in self.judges.iter().zip(of_row) {
                if let Some(judgement) = judgement {
                    rows.push(row, judge.as_ref(), judgement)?;
                }
            }
        }
        rows.finish()
    }

    /// The rollouts with the judges' signals and the reward.
    fn widened(&self, rollouts: RecordBatch, judgements: &[Vec<Option<Judgement>>]) -> Result<RecordBatch> {
        let mut added: Vec<(Field, ArrayRef)> = Vec::new();
        for (index, judge) in self.judges.iter().enumerate() {
            let said: Vec<Option<&Judgement>> = judgements.iter().map(|row| row[index].as_ref()).collect();
            let scores: Vec<Option<&[Option<f64>]>> =
                said.iter().map(|judgement| judgement.as_ref()?.scores.as_deref().ok()).collect();
            let level = Level::named(judge.level());
            let outer = |row: usize| match level.parts() {
                Some((outer, _)) => Judged { batch: &rollouts, row }.elements(&outer).map_err(not_measured),
                None => Ok(0),
            };
            let (field, column) = signal(judge.level(), judge.name(), &scores, outer)?;
            if self.reward.as_deref() == Some(judge.name()) {
                added.push((Field::new("reward", DataType::Float64, true), column.clone()));
                added.push(reward_status(&said));
            }
            added.push((field, column));
        }
        with_columns(rollouts, added)
    }
}

fn not_measured(failure: Failure) -> Error {
    Error::usage(failure.reason(), "complete the rows before they are judged")
}

/// Why the reward is null: kind and reason of the failure.
fn reward_status(judgements: &[Option<&Judgement>]) -> (Field, ArrayRef) {
    let mut statuses = StringBuilder::new();
    for judgement in judgements.iter().flatten() {
        let score = judgement.scores.as_ref().map(|scores| scores.first().copied().flatten());
        statuses.append_option(match status(score) {
            ("ok", reason) => reason.map(str::to_owned),
            (kind, reason) => Some(format!("{kind}: {}", reason.unwrap_or_default())),
        });
    }
    (Field::new("reward_status", DataType::Utf8, true), Arc::new(statuses.finish()))
}
