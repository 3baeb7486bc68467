//! Rows of a scores table put together to judgements again.

use arrow::array::{Array, AsArray, Float64Array, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use meed_operators::{Error, Place, Result};

/// What a judge said of a rollout, as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StoredJudgement {
    pub iteration: i64,
    pub group_id: String,
    pub rollout_id: String,
    pub judge: String,
    pub version: String,
    pub level: String,
    pub input_hash: String,
    /// None where the judgement failed.
    pub scores: Option<Vec<Option<f64>>>,
    pub latency_ms: Option<f64>,
}

/// Puts the rows of a scores table together, batch by batch: the rows of one judgement follow each
/// other, with indices that count up from 0, or are one row without an index.
#[derive(Debug, Default)]
pub(super) struct Judgements {
    open: Option<StoredJudgement>,
}

impl Judgements {
    /// Hands over the judgements that end in this batch.
    pub(super) fn read(&mut self, batch: &RecordBatch, mut found: impl FnMut(StoredJudgement)) -> Result<()> {
        let text = |name: &str| {
            let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
            column.ok_or_else(|| not_scores(name))
        };
        // In JSON Lines a column that is null everywhere may be absent.
        let float = |name: &str| match batch.column_by_name(name) {
            None => Ok(None),
            Some(column) => {
                column.as_primitive_opt::<Float64Type>().map(Some).ok_or_else(|| not_scores(name))
            }
        };
        let index = match batch.column_by_name("index") {
            None => None,
            Some(index) => Some(index.as_primitive_opt::<Int32Type>().ok_or_else(|| not_scores("index"))?),
        };
        let iterations = batch.column_by_name("iteration").ok_or_else(|| not_scores("iteration"))?;
        let iterations = iterations.as_primitive_opt::<Int64Type>().ok_or_else(|| not_scores("iteration"))?;
        let (groups, rollouts, judges) = (text("group_id")?, text("rollout_id")?, text("judge")?);
        let (versions, levels, hashes) = (text("judge_version")?, text("level")?, text("input_hash")?);
        let (statuses, scores, latencies) = (text("status")?, float("score")?, float("latency_ms")?);
        let number = |column: Option<&Float64Array>, row: usize| {
            column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
        };
        for row in 0..batch.num_rows() {
            let score = number(scores, row);
            let index = index.filter(|index| index.is_valid(row)).map(|index| index.value(row));
            if let Some(open) = &mut self.open
                && let Some(index) = index
                && index > 0
                && open.scores.as_ref().is_some_and(|scores| scores.len() == index as usize)
                && open.iteration == iterations.value(row)
                && open.rollout_id == rollouts.value(row)
                && open.judge == judges.value(row)
                && open.level == levels.value(row)
                && open.input_hash == hashes.value(row)
                && open.group_id == groups.value(row)
            {
                open.scores.get_or_insert_default().push(score);
                continue;
            }
            if let Some(index) = index.filter(|index| *index != 0) {
                return Err(Error::data(
                    Place::default().rollout(rollouts.value(row)).column("index"),
                    format!("score {index} of judge {} does not follow the one before it", judges.value(row)),
                    "keep scores in the order in which `meed judge` wrote them",
                ));
            }
            let is_ok = statuses.value(row) == "ok";
            // A row without an index at another level is of a rollout without such elements.
            let is_empty = index.is_none() && levels.value(row) != "rollout";
            let next = StoredJudgement {
                iteration: iterations.value(row),
                group_id: groups.value(row).to_owned(),
                rollout_id: rollouts.value(row).to_owned(),
                judge: judges.value(row).to_owned(),
                version: versions.value(row).to_owned(),
                level: levels.value(row).to_owned(),
                input_hash: hashes.value(row).to_owned(),
                scores: is_ok.then(|| if is_empty { Vec::new() } else { vec![score] }),
                latency_ms: number(latencies, row),
            };
            if let Some(whole) = self.open.replace(next) {
                found(whole);
            }
        }
        Ok(())
    }

    /// The last judgement.
    pub(super) fn end(&mut self) -> Option<StoredJudgement> {
        self.open.take()
    }
}

fn not_scores(column: &str) -> Error {
    Error::data(
        Place::default().column(column),
        "is missing or of another type, so these are no scores",
        "`meed judge` writes scores",
    )
}
