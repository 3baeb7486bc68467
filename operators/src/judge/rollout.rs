//! One rollout as a judge sees it, with typed access to what it reads.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::Int32Type;
use serde_json::Value;

use super::Failure;
use crate::columns::role;
use crate::credit::{Level, ROLLOUT, STEP, TOKEN, TURN, Unit};

/// One rollout as a judge sees it: a row of a batch.
///
/// Its methods fail with [`Failure::Missing`] where the rollout has no such value, so that a judge can
/// pass their failures on with `?`.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// The rollouts.
    pub batch: &'a RecordBatch,
    /// The row.
    pub row: usize,
}

impl<'a> Judged<'a> {
    /// The value of a text column; `None` where it is null or the column is absent.
    pub fn optional_text(&self, column: &str) -> Option<&'a str> {
        let texts = self.batch.column_by_name(column)?.as_string_opt::<i32>()?;
        texts.is_valid(self.row).then(|| texts.value(self.row))
    }

    /// The value of a text column.
    ///
    /// # Errors
    /// The column is absent, is no text, or is null in this rollout.
    pub fn text(&self, column: &str) -> Result<&'a str, Failure> {
        self.optional_text(column).ok_or_else(|| missing(column))
    }

    /// The elements of a list column.
    ///
    /// # Errors
    /// As [`Judged::text`].
    pub fn list(&self, column: &str) -> Result<ArrayRef, Failure> {
        let lists = self.batch.column_by_name(column).and_then(|column| column.as_list_opt::<i32>());
        let lists = lists.filter(|lists| lists.is_valid(self.row)).ok_or_else(|| missing(column))?;
        Ok(lists.value(self.row))
    }

    /// The texts of a list column; null where an element is.
    ///
    /// # Errors
    /// As [`Judged::text`].
    pub fn texts(&self, column: &str) -> Result<Vec<Option<String>>, Failure> {
        let list = self.list(column)?;
        let texts = list.as_string_opt::<i32>().ok_or_else(|| missing(column))?;
        Ok(texts.iter().map(|text| text.map(str::to_owned)).collect())
    }

    /// The integers of a list column, such as `token_ids`.
    ///
    /// # Errors
    /// As [`Judged::text`], or an integer is null.
    pub fn integers(&self, column: &str) -> Result<Vec<i32>, Failure> {
        let list = self.list(column)?;
        let integers = list.as_primitive_opt::<Int32Type>().filter(|list| list.null_count() == 0);
        Ok(integers.ok_or_else(|| missing(column))?.values().to_vec())
    }

    /// A text column that holds JSON.
    ///
    /// # Errors
    /// As [`Judged::text`]; the text is no JSON.
    pub fn json(&self, column: &str) -> Result<Value, Failure> {
        serde_json::from_str(self.text(column)?)
            .map_err(|error| Failure::Missing(format!("{column} is not JSON: {error}")))
    }

    /// The texts of the steps; null where the environment speaks, or the text is.
    ///
    /// # Errors
    /// As [`Judged::text`], for `step_texts`.
    pub fn policy_texts(&self) -> Result<Vec<Option<String>>, Failure> {
        let texts = self.texts("step_texts")?;
        let policy = self.unit()?.policy_steps().map_err(|error| Failure::Missing(error.to_string()))?;
        Ok(texts.into_iter().zip(policy.iter()).map(|(text, policy)| text.filter(|_| *policy)).collect())
    }

    /// The rollout alone, for its levels: extents, turns, policy steps.
    ///
    /// # Errors
    /// The batch lacks a key.
    pub fn unit(&self) -> Result<Unit, Failure> {
        Unit::new(self.batch.slice(self.row, 1)).map_err(|error| Failure::Missing(error.to_string()))
    }

    /// True where the rollouts have lists of a level, which then all agree in length.
    pub fn has_level(&self, level: &Level) -> bool {
        let schema = self.batch.schema_ref();
        let known = [ROLLOUT, TURN, STEP, TOKEN].contains(level);
        let mut fields = schema.fields().iter();
        known || fields.any(|field| role(field.name(), field.data_type()).level() == Some(level.name()))
    }

    /// Number of elements of a level.
    ///
    /// # Errors
    /// The data has no such level.
    pub fn elements(&self, level: &Level) -> Result<usize, Failure> {
        let extent = self.unit()?.extent(level);
        Ok(extent.map_err(|error| Failure::Missing(error.to_string()))?.len())
    }
}

fn missing(column: &str) -> Failure {
    Failure::Missing(format!("{column} is absent"))
}
