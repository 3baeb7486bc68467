//! Stored scores joined back onto their rollouts, as signals.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use meed_operators::columns::list_of;
use meed_operators::credit::{Level, ROLLOUT, TOKEN};
use meed_operators::engine::{Batches, Source};
use meed_operators::judge::{Judged, signal, signal_name};
use meed_operators::{Error, Result};

use super::judgements::{Judgements, StoredJudgement};

/// Scores of one judgement; none where it failed.
type Scores = Option<Vec<Option<f64>>>;
/// Scores of a group, by rollout and number of the signal.
type GroupScores = BTreeMap<(String, usize), Scores>;

/// The latest scores of every rollout, by group.
///
/// It is held in memory: about 9 bytes a score, and some 150 a judgement. Where a rollout has several
/// judgements of one judge, the last one counts, in the order of commits, and of the tables.
#[derive(Debug, Default)]
pub struct ScoreIndex {
    /// Judge and level of each signal.
    signals: Vec<(String, String)>,
    groups: HashMap<(i64, String), GroupScores>,
}

impl ScoreIndex {
    /// Adds a scores table, whose judgements count more than those that are there.
    ///
    /// # Errors
    /// The rows cannot be read, or are no scores.
    pub fn add(&mut self, batches: Batches) -> Result<()> {
        let mut judgements = Judgements::default();
        for batch in batches {
            judgements.read(&batch?, |judgement| self.insert(judgement))?;
        }
        if let Some(judgement) = judgements.end() {
            self.insert(judgement);
        }
        Ok(())
    }

    fn insert(&mut self, judgement: StoredJudgement) {
        let StoredJudgement { iteration, group_id, rollout_id, judge, level, scores, .. } = judgement;
        let known = self.signals.iter().position(|(name, at)| *name == judge && *at == level);
        let signal = known.unwrap_or_else(|| {
            self.signals.push((judge, level));
            self.signals.len() - 1
        });
        self.groups.entry((iteration, group_id)).or_default().insert((rollout_id, signal), scores);
    }

    /// The signals that the scores add.
    pub fn names(&self) -> Vec<String> {
        self.signals.iter().map(|(judge, level)| signal_name(level, judge)).collect()
    }

    fn field(&self, signal: usize) -> Field {
        let (judge, level) = &self.signals[signal];
        let level = Level::named(level.as_str());
        let data_type = if level == ROLLOUT {
            DataType::Float64
        } else if level == TOKEN {
            list_of(DataType::Float32)
        } else if level.parts().is_some() {
            list_of(list_of(DataType::Float64))
        } else {
            list_of(DataType::Float64)
        };
        Field::new(signal_name(level.name(), judge), data_type, true)
    }

    /// One signal for all rows of a completed batch; null where there is no score.
    fn column(&self, index: usize, batch: &RecordBatch) -> Result<ArrayRef> {
        let (judge, level) = &self.signals[index];
        let (Some(iterations), Some(groups), Some(rollouts)) = (
            batch.column_by_name("iteration").and_then(|keys| keys.as_primitive_opt::<Int64Type>()),
            batch.column_by_name("group_id").and_then(|keys| keys.as_string_opt::<i32>()),
            batch.column_by_name("rollout_id").and_then(|keys| keys.as_string_opt::<i32>()),
        ) else {
            return Err(Error::usage("the rollouts have no keys to join scores by", ""));
        };
        let mut scores = Vec::with_capacity(batch.num_rows());
        let mut of_group = None;
        for row in 0..batch.num_rows() {
            let same = row > 0
                && iterations.value(row) == iterations.value(row - 1)
                && groups.value(row) == groups.value(row - 1);
            if !same {
                of_group = self.groups.get(&(iterations.value(row), groups.value(row).to_owned()));
            }
            let of_rollout = of_group.and_then(|group| group.get(&(rollouts.value(row).to_owned(), index)));
            scores.push(of_rollout.and_then(|scores| scores.as_deref()));
        }
        let outer = Level::named(level.as_str()).parts().map(|(outer, _)| outer);
        let elements = |row: usize| match &outer {
            Some(outer) => Judged { batch, row }
                .elements(outer)
                .map_err(|failure| Error::usage(failure.reason(), "judge these rollouts again")),
            None => Ok(0),
        };
        Ok(signal(level, judge, &scores, elements)?.1)
    }
}

/// A source of completed rollouts with the signals of a [`ScoreIndex`]; they stand in place of columns
/// of the same names.
pub(super) struct WithScores {
    source: Arc<dyn Source>,
    scores: Arc<ScoreIndex>,
    schema: SchemaRef,
}

impl WithScores {
    /// Wraps a source.
    pub(super) fn new(source: Arc<dyn Source>, scores: Arc<ScoreIndex>) -> Self {
        let names = scores.names();
        let stored = source.schema();
        let kept = stored.fields().iter().filter(|field| !names.contains(field.name())).cloned();
        let added = (0..names.len()).map(|signal| Arc::new(scores.field(signal)));
        let schema = Arc::new(Schema::new(kept.chain(added).collect::<Vec<_>>()));
        WithScores { source, scores, schema }
    }
}

impl Source for WithScores {
    fn uri(&self) -> &str {
        self.source.uri()
    }

    fn fingerprint(&self) -> String {
        self.source.fingerprint()
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn rows(&self) -> Option<u64> {
        self.source.rows()
    }

    fn slices(&self) -> u64 {
        self.source.slices()
    }

    fn first_row(&self, slice: u64) -> Option<u64> {
        self.source.first_row(slice)
    }

    fn read(&self, slice: u64, columns: &[String]) -> Result<Batches> {
        let names = self.scores.names();
        let stored = self.source.schema();
        let mut inner: Vec<String> = columns.iter().filter(|name| !names.contains(name)).cloned().collect();
        // Pairs need the number of outer elements of each rollout.
        let measures = ["step_ends", "step_kinds", "step_turns"];
        let keys = ["iteration", "group_id", "rollout_id", "token_mask"];
        for name in keys.into_iter().chain(measures) {
            if !inner.iter().any(|known| known == name) && stored.column_with_name(name).is_some() {
                inner.push(name.to_owned());
            }
        }
        let wanted: Vec<(usize, String)> =
            names.into_iter().enumerate().filter(|(_, name)| columns.contains(name)).collect();
        let (scores, columns) = (self.scores.clone(), columns.to_vec());
        let fields: Vec<Field> = columns
            .iter()
            .map(|name| self.schema.field_with_name(name).cloned())
            .collect::<Result<_, _>>()?;
        let schema = Arc::new(Schema::new(fields));
        let batches = self.source.read(slice, &inner)?;
        Ok(Box::new(batches.map(move |batch| {
            let batch = batch?;
            let column = |name: &String| match wanted.iter().find(|(_, joined)| joined == name) {
                Some((signal, _)) => scores.column(*signal, &batch),
                None => batch.column_by_name(name).cloned().ok_or_else(|| {
                    Error::usage(format!("column {name} was not read"), "this is a defect of meed")
                }),
            };
            let arrays: Vec<ArrayRef> = columns.iter().map(column).collect::<Result<_>>()?;
            Ok(RecordBatch::try_new(schema.clone(), arrays)?)
        })))
    }
}
