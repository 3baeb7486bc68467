//! Judgements as rows of the scores table, and as signals of the rollouts.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float32Builder, Float64Array, Float64Builder, Int32Builder, Int64Builder,
    ListBuilder, RecordBatch, StringBuilder,
};
use arrow::datatypes::{DataType, Field, Int64Type};

use super::{Failure, Judge};
use crate::columns::{Table, list_of};
use crate::credit::{Level, ROLLOUT, TOKEN};
use crate::{Error, Place, Result};

/// What one judge said of one rollout.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// One score per element of the level, null where the judge has no opinion; or why there are none.
    pub scores: std::result::Result<Vec<Option<f64>>, Failure>,
    /// Duration of the call, where it is known.
    pub latency_ms: Option<f64>,
    /// Hash of everything that the judgement depends on.
    pub input_hash: String,
}

/// The status of a judgement that has scores.
const OK: &str = "ok";

impl Failure {
    /// Its kind: `error`, `timeout`, `invalid` or `missing`.
    pub fn status(&self) -> &'static str {
        match self {
            Failure::Error(_) => "error",
            Failure::Timeout(_) => "timeout",
            Failure::Invalid(_) => "invalid",
            Failure::Missing(_) => "missing",
        }
    }

    /// What happened.
    pub fn reason(&self) -> &str {
        match self {
            Failure::Error(reason)
            | Failure::Timeout(reason)
            | Failure::Invalid(reason)
            | Failure::Missing(reason) => reason,
        }
    }
}

/// Status and reason of a score: `ok` without a reason, `ok` where the judge has no opinion, or the
/// kind of failure with what happened.
pub fn status(score: std::result::Result<Option<f64>, &Failure>) -> (&'static str, Option<&str>) {
    match score {
        Ok(Some(_)) => (OK, None),
        Ok(None) => (OK, Some("no opinion")),
        Err(failure) => (failure.status(), Some(failure.reason())),
    }
}

/// Rows of the scores table. A judgement has one row per element of its level; one that failed, or
/// that is of a rollout without such elements, has one row without an index.
pub(super) struct ScoreRows<'a> {
    batch: &'a RecordBatch,
    keys: (Int64Builder, StringBuilder, StringBuilder),
    judge: (StringBuilder, StringBuilder, StringBuilder),
    index: Int32Builder,
    score: Float64Builder,
    status: (StringBuilder, StringBuilder),
    latency: Float64Builder,
    hash: StringBuilder,
}

impl<'a> ScoreRows<'a> {
    pub(super) fn of(batch: &'a RecordBatch) -> Self {
        ScoreRows {
            batch,
            keys: Default::default(),
            judge: Default::default(),
            index: Int32Builder::new(),
            score: Float64Builder::new(),
            status: Default::default(),
            latency: Float64Builder::new(),
            hash: StringBuilder::new(),
        }
    }

    pub(super) fn push(&mut self, row: usize, judge: &dyn Judge, judgement: &Judgement) -> Result<()> {
        match &judgement.scores {
            Err(failure) => self.row(row, judge, judgement, None, Err(failure)),
            Ok(scores) if judge.level() == ROLLOUT.name() || scores.is_empty() => {
                self.row(row, judge, judgement, None, Ok(scores.first().copied().flatten()))
            }
            Ok(scores) => (0..)
                .zip(scores)
                .try_for_each(|(index, score)| self.row(row, judge, judgement, Some(index), Ok(*score))),
        }
    }

    fn row(
        &mut self,
        row: usize,
        judge: &dyn Judge,
        judgement: &Judgement,
        index: Option<i32>,
        score: std::result::Result<Option<f64>, &Failure>,
    ) -> Result<()> {
        self.keys.0.append_value(iteration(self.batch, row)?);
        self.keys.1.append_value(key(self.batch, "group_id", row)?);
        self.keys.2.append_value(key(self.batch, "rollout_id", row)?);
        self.judge.0.append_value(judge.name());
        self.judge.1.append_value(judge.version());
        self.judge.2.append_value(judge.level());
        self.index.append_option(index);
        self.score.append_option(score.ok().flatten());
        let (status, reason) = status(score);
        self.status.0.append_value(status);
        self.status.1.append_option(reason);
        self.latency.append_option(judgement.latency_ms);
        self.hash.append_value(&judgement.input_hash);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.keys.0.finish()),
            Arc::new(self.keys.1.finish()),
            Arc::new(self.keys.2.finish()),
            Arc::new(self.judge.0.finish()),
            Arc::new(self.judge.1.finish()),
            Arc::new(self.judge.2.finish()),
            Arc::new(self.index.finish()),
            Arc::new(self.score.finish()),
            Arc::new(self.status.0.finish()),
            Arc::new(self.status.1.finish()),
            Arc::new(self.latency.finish()),
            Arc::new(self.hash.finish()),
        ];
        Ok(RecordBatch::try_new(Table::Scores.schema(), columns)?)
    }
}

/// The signal of a judge: `<judge>` at rollout level, else `<level>_<judge>`.
pub fn signal_name(level: &str, judge: &str) -> String {
    match level == ROLLOUT.name() {
        true => judge.to_owned(),
        false => format!("{}_{judge}", level.replace('.', "_")),
    }
}

/// The signal of a judge from its judgements, one per row; a failed one is null. Of pairs, every
/// row's scores are cut into `outer` lists of one length.
pub fn signal(
    level: &str,
    judge: &str,
    scores: &[Option<&[Option<f64>]>],
    outer: impl Fn(usize) -> Result<usize>,
) -> Result<(Field, ArrayRef)> {
    let level = Level::named(level);
    let name = signal_name(level.name(), judge);
    if level == ROLLOUT {
        let values: Float64Array =
            scores.iter().map(|scores| scores.and_then(|scores| scores.first().copied().flatten())).collect();
        return Ok((Field::new(name, DataType::Float64, true), Arc::new(values)));
    }
    let element = |data_type| Arc::new(Field::new("element", data_type, true));
    if level == TOKEN {
        let mut lists = ListBuilder::new(Float32Builder::new()).with_field(element(DataType::Float32));
        for scores in scores {
            let values = scores.unwrap_or_default().iter().map(|score| score.map(|score| score as f32));
            lists.values().extend(values);
            lists.append(scores.is_some());
        }
        return Ok((Field::new(name, list_of(DataType::Float32), true), Arc::new(lists.finish())));
    }
    let floats = || ListBuilder::new(Float64Builder::new()).with_field(element(DataType::Float64));
    if level.parts().is_none() {
        let mut lists = floats();
        for scores in scores {
            lists.values().extend(scores.unwrap_or_default().iter().copied());
            lists.append(scores.is_some());
        }
        return Ok((Field::new(name, list_of(DataType::Float64), true), Arc::new(lists.finish())));
    }
    let pairs = list_of(list_of(DataType::Float64));
    let mut lists = ListBuilder::new(floats()).with_field(element(list_of(DataType::Float64)));
    for (row, scores) in scores.iter().enumerate() {
        if let Some(scores) = scores {
            let outer = outer(row)?;
            let inner = scores.len().checked_div(outer).unwrap_or(0);
            if inner * outer != scores.len() {
                return Err(Error::data(
                    Place::default().column(&name),
                    format!("{} scores are no list for each of {outer} elements", scores.len()),
                    "the rollout has changed since it was judged: judge it again",
                ));
            }
            for first in (0..outer).map(|index| index * inner) {
                lists.values().values().extend(scores[first..first + inner].iter().copied());
                lists.values().append(true);
            }
        }
        lists.append(scores.is_some());
    }
    Ok((Field::new(name, pairs, true), Arc::new(lists.finish())))
}

/// The iteration of a row.
pub(super) fn iteration(batch: &RecordBatch, row: usize) -> Result<i64> {
    let column = batch.column_by_name("iteration").and_then(|column| column.as_primitive_opt::<Int64Type>());
    column.map(|column| column.value(row)).ok_or_else(|| no_key("iteration"))
}

/// The text key of a row.
pub(super) fn key<'a>(batch: &'a RecordBatch, name: &str, row: usize) -> Result<&'a str> {
    let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    column.filter(|column| column.is_valid(row)).map(|column| column.value(row)).ok_or_else(|| no_key(name))
}

fn no_key(name: &str) -> Error {
    Error::data(
        Place::default().column(name),
        "is missing, and scores refer to rollouts by it",
        "complete the rows before they are judged",
    )
}
