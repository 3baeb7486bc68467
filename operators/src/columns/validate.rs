//! Checks every invariant of rollouts and says which rows break one.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, RecordBatch, StringArray, cast::AsArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Schema;

use super::conform::target;
use super::{Table, validate_duplicates, validate_levels, validate_spans, validate_values};
use crate::{Error, Place, Result};

/// What to do with a row that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// End with an error that names the rows.
    #[default]
    Fail,
    /// Leave the row out and report it.
    Skip,
}

/// A row that breaks a rule.
#[derive(Debug)]
pub struct Rejection {
    /// Row number in the file, from 0.
    pub row: u64,
    /// The first rule that it breaks, with its place and a hint.
    pub error: Error,
}

/// Most rows that one error spells out; the rest is counted.
const SPELLED_OUT: usize = 20;

/// The rows of a conforming batch that break an invariant, in order, one rejection each.
///
/// `first_row` is the number of the batch's first row in `file`. Columns that the batch does not hold are
/// not checked, so a projection can be validated. The rules:
///
/// - `iteration`, `group_id`, `rollout_id`, `status` and `token_mask` are not null; a status is one of the
///   four; `rollout_id` is not repeated in an iteration (inside the batch; see
///   [`DuplicateCheck`](super::DuplicateCheck) for more).
/// - All lists of a level have one element per element of the level, and inner lists of the same pair of
///   levels agree too.
/// - `step_ends` does not run backwards and ends with the number of tokens; spans of other levels start
///   before they end, do not run backwards, and lie within the tokens; turn indices do not run backwards.
/// - No value is NaN, and no reward or rollout signal is infinite.
///
/// Null signals, null elements of signals, null rewards, rollouts without tokens or without a trainable
/// token are valid.
///
/// # Errors
/// `Error::Data` where a column does not have its declared type; see [`conform`](super::conform()).
pub fn validate(batch: &RecordBatch, file: &str, first_row: u64) -> Result<Vec<Rejection>> {
    check_types(batch, file)?;
    let mut findings = Findings::new(batch, file, first_row);
    validate_values::keys(batch, &mut findings);
    validate_duplicates::within_batch(batch, &mut findings);
    validate_levels::mask(batch, &mut findings);
    validate_levels::lengths(batch, &mut findings);
    validate_spans::spans(batch, &mut findings);
    validate_values::numbers(batch, &mut findings);
    Ok(findings.rejections())
}

/// The valid rows of a completed batch, and the rejected ones.
///
/// Columns that are never null by definition are marked so in the schema of the result. The batch is
/// passed on without a copy where every row is valid.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
/// use meed_operators::columns::{OnError, accept, complete};
///
/// let batch = RecordBatch::try_from_iter([
///     ("group_id", Arc::new(StringArray::from(vec!["g", "g"])) as ArrayRef),
///     ("rollout_id", Arc::new(StringArray::from(vec!["a", "b"]))),
///     ("reward", Arc::new(Float64Array::from(vec![1.0, f64::NAN]))),
/// ])?;
/// let batch = complete(batch, "a.parquet")?;
/// let (good, bad) = accept(batch, "a.parquet", 0, OnError::Skip)?;
/// assert_eq!((good.num_rows(), bad[0].row), (1, 1));
/// # Ok::<(), meed_operators::Error>(())
/// ```
///
/// # Errors
/// `Error::Data` as [`validate`]; and, with [`OnError::Fail`], where a row is rejected: the error has the
/// place of the first such row, counts them all and spells out twenty.
pub fn accept(
    batch: RecordBatch,
    file: &str,
    first_row: u64,
    on_error: OnError,
) -> Result<(RecordBatch, Vec<Rejection>)> {
    let rejections = validate(&batch, file, first_row)?;
    if on_error == OnError::Fail
        && let Some(error) = summarize(&rejections)
    {
        return Err(error);
    }
    if rejections.is_empty() {
        return Ok((mark_never_null(batch)?, rejections));
    }
    let mut keep = vec![true; batch.num_rows()];
    for rejection in &rejections {
        keep[(rejection.row - first_row) as usize] = false;
    }
    let kept = filter_record_batch(&batch, &BooleanArray::from(keep))?;
    Ok((mark_never_null(kept)?, rejections))
}

/// One error for many rejections: the place and hint of the first, the number of all, and up to twenty
/// spelled out. `None` where there are none.
pub fn summarize(rejections: &[Rejection]) -> Option<Error> {
    let first = &rejections.first()?.error;
    let (place, message) = match first {
        Error::Data { place, message, .. } => (place.as_ref().clone(), message.clone()),
        other => (Place::default(), other.to_string()),
    };
    let hint = first.hint();
    let more = rejections.len() - 1;
    if more == 0 {
        return Some(Error::data(place, message, hint));
    }
    let listed = more.min(SPELLED_OUT - 1);
    let mut message = format!("{message}\nand {more} more bad rows");
    if listed < more {
        message.push_str(&format!(", the first {listed} of them"));
    }
    message.push(':');
    for rejection in &rejections[1..=listed] {
        message.push_str(&format!("\n  {}", rejection.error));
    }
    Some(Error::data(place, message, hint))
}

/// Collects the first finding of each row.
pub(super) struct Findings<'a> {
    rollouts: Option<&'a StringArray>,
    file: &'a str,
    first_row: u64,
    rows: BTreeMap<usize, Error>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(batch: &'a RecordBatch, file: &'a str, first_row: u64) -> Self {
        Findings {
            rollouts: batch.column_by_name("rollout_id").and_then(|column| column.as_string_opt()),
            file,
            first_row,
            rows: BTreeMap::new(),
        }
    }

    /// True where the row has a finding already.
    pub(super) fn is_rejected(&self, row: usize) -> bool {
        self.rows.contains_key(&row)
    }

    /// Rejects a row of the batch; later findings about the same row are dropped.
    pub(super) fn reject(&mut self, row: usize, column: &str, message: impl Into<String>, hint: &str) {
        if self.is_rejected(row) {
            return;
        }
        let mut place = Place::file(self.file).row(self.first_row + row as u64).column(column);
        if let Some(ids) = self.rollouts
            && ids.is_valid(row)
        {
            place = place.rollout(ids.value(row));
        }
        self.rows.insert(row, Error::data(place, message, hint));
    }

    pub(super) fn rejections(self) -> Vec<Rejection> {
        let rejection = |(row, error)| Rejection { row: self.first_row + row as u64, error };
        self.rows.into_iter().map(rejection).collect()
    }
}

fn check_types(batch: &RecordBatch, file: &str) -> Result<()> {
    for field in batch.schema_ref().fields() {
        let wanted = target(field.name(), field.data_type());
        if let Some(wanted) = wanted
            && &wanted != field.data_type()
        {
            return Err(Error::data(
                Place::file(file).column(field.name()),
                format!("type {} where {wanted} is expected", field.data_type()),
                "complete the rows before they are validated",
            ));
        }
    }
    Ok(())
}

fn mark_never_null(batch: RecordBatch) -> Result<RecordBatch> {
    let never_null = |name: &str| Table::Rollouts.column(name).is_some_and(|column| !column.nullable);
    let schema = batch.schema();
    let marked = |field: &Arc<arrow::datatypes::Field>| !(never_null(field.name()) && field.is_nullable());
    if schema.fields().iter().all(marked) {
        return Ok(batch);
    }
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| match marked(field) {
            true => field.clone(),
            false => Arc::new(field.as_ref().clone().with_nullable(false)),
        })
        .collect();
    let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
    Ok(RecordBatch::try_new(schema, batch.columns().to_vec())?)
}
