//! A validated view of a record batch of rollouts.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
    cast::AsArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};

use super::convert::{hides_elements, live};
use super::validate::{summarize, validate};
use crate::{Error, Place, Result};

/// A batch of rollouts whose invariants hold, with typed access to its columns.
///
/// Needs the keys and `token_mask`; every other column may be missing, as in a projection.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, RecordBatch, StringArray};
/// use meed_operators::Place;
/// use meed_operators::columns::{Rollouts, complete};
///
/// let batch = RecordBatch::try_from_iter([
///     ("group_id", Arc::new(StringArray::from(vec!["g", "g"])) as ArrayRef),
///     ("rollout_id", Arc::new(StringArray::from(vec!["a", "b"]))),
/// ])?;
/// let rollouts = Rollouts::try_new(complete(batch, "a.parquet")?, &Place::file("a.parquet"))?;
/// assert_eq!(rollouts.iteration(), [0, 0]);
/// assert_eq!(rollouts.token_offsets(), [0, 1, 2]);
/// # Ok::<(), meed_operators::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Rollouts {
    batch: RecordBatch,
    iteration: Int64Array,
    group_id: StringArray,
    rollout_id: StringArray,
    token_offsets: OffsetBuffer<i32>,
    mask: BooleanArray,
}

/// A list column: row `i` owns `values[offsets[i]..offsets[i + 1]]`. Offsets start at 0 and end at the
/// number of values. Rows that are null own none.
#[derive(Debug, Clone)]
pub struct ListColumn {
    /// One more than there are rows.
    pub offsets: OffsetBuffer<i32>,
    /// The elements of all rows, one after the other.
    pub values: ArrayRef,
    /// Which rows have a list at all; `None` where all have.
    pub nulls: Option<NullBuffer>,
}

impl Rollouts {
    /// Validates a completed batch. The place gives the file, and the number of the first row.
    ///
    /// # Errors
    /// `Error::Data` where a key or `token_mask` is missing, a column has a wrong type, or a row breaks a
    /// rule of [`validate`](super::validate()).
    pub fn try_new(batch: RecordBatch, place: &Place) -> Result<Self> {
        let file = place.file.as_deref().unwrap_or("rollouts");
        let rejections = validate(&batch, file, place.row.unwrap_or(0))?;
        match summarize(&rejections) {
            Some(error) => Err(error),
            None => Rollouts::from_accepted(batch).map_err(|error| error.in_file(file)),
        }
    }

    /// The view of a batch that [`accept`](super::accept) has let through, without checking its rows again.
    ///
    /// # Errors
    /// `Error::Data` where a key or `token_mask` is missing or has a wrong type.
    pub fn from_accepted(batch: RecordBatch) -> Result<Self> {
        let batch = without_hidden_elements(batch)?;
        let iteration = typed(&batch, "iteration", |column| column.as_primitive_opt::<Int64Type>().cloned())?;
        let text = |column: &ArrayRef| column.as_string_opt::<i32>().cloned();
        let group_id = typed(&batch, "group_id", text)?;
        let rollout_id = typed(&batch, "rollout_id", text)?;
        let (token_offsets, mask) = typed(&batch, "token_mask", |column| {
            let list = ListColumn::of(column.as_list_opt()?);
            let mask = list.values.as_boolean_opt()?.clone();
            Some((list.offsets, mask))
        })?;
        Ok(Rollouts { batch, iteration, group_id, rollout_id, token_offsets, mask })
    }

    /// The record batch itself.
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// The record batch itself.
    pub fn into_batch(self) -> RecordBatch {
        self.batch
    }

    /// Number of rollouts.
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// True where there is no rollout.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The policy version of each rollout.
    pub fn iteration(&self) -> &[i64] {
        self.iteration.values()
    }

    /// The group of each rollout; never null.
    pub fn group_id(&self) -> &StringArray {
        &self.group_id
    }

    /// The id of each rollout; never null.
    pub fn rollout_id(&self) -> &StringArray {
        &self.rollout_id
    }

    /// The status of each rollout, where the column was read.
    pub fn status(&self) -> Option<&StringArray> {
        self.column("status")?.as_string_opt()
    }

    /// The outcome reward of each rollout, where the column was read.
    pub fn reward(&self) -> Option<&Float64Array> {
        self.column("reward")?.as_primitive_opt::<Float64Type>()
    }

    /// Where the tokens of each rollout begin in [`mask`](Self::mask): one more than there are rollouts,
    /// from 0 to the number of tokens.
    pub fn token_offsets(&self) -> &[i32] {
        &self.token_offsets
    }

    /// The mask of all tokens, one rollout after the other; without nulls.
    pub fn mask(&self) -> &BooleanArray {
        &self.mask
    }

    /// Where the steps of each rollout begin in [`step_ends`](Self::step_ends); `None` where the column was
    /// not read.
    pub fn step_offsets(&self) -> Option<OffsetBuffer<i32>> {
        self.list("step_ends").map(|list| list.offsets)
    }

    /// The exclusive token offset, inside its rollout, at which each step ends.
    pub fn step_ends(&self) -> Option<ScalarBuffer<i32>> {
        let list = self.list("step_ends")?;
        let ends = list.values.as_primitive_opt::<Int32Type>()?;
        Some(ends.values().clone())
    }

    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.batch.column_by_name(name)
    }

    /// A list column by its name; `None` where it was not read or is no list.
    pub fn list(&self, name: &str) -> Option<ListColumn> {
        Some(ListColumn::of(self.column(name)?.as_list_opt()?))
    }

    /// The place of a rollout of this batch, for messages.
    pub fn place(&self, row: usize) -> Place {
        Place::default().rollout(self.rollout_id.value(row))
    }
}

impl ListColumn {
    /// The lists of an array without what lies before the first and after the last of them.
    fn of(list: &ListArray) -> Self {
        let nulls = list.nulls().filter(|nulls| nulls.null_count() > 0).cloned();
        let (first, last) = (list.value_offsets()[0], list.value_offsets()[list.len()]);
        let (offsets, values) = (list.offsets().clone(), list.values());
        if first == 0 && last as usize == values.len() {
            let values = values.clone();
            return ListColumn { offsets, values, nulls };
        }
        ListColumn {
            offsets: offsets.subtract(first),
            values: values.slice(first as usize, (last - first) as usize),
            nulls,
        }
    }
}

/// The batch with null lists that own no elements, as a null list may hide some.
fn without_hidden_elements(batch: RecordBatch) -> Result<RecordBatch> {
    let mut columns = batch.columns().to_vec();
    let mut hidden = false;
    for column in &mut columns {
        if let Some(list) = column.as_list_opt::<i32>()
            && hides_elements(list)
        {
            *column = Arc::new(live(list)?);
            hidden = true;
        }
    }
    match hidden {
        true => Ok(RecordBatch::try_new(batch.schema(), columns)?),
        false => Ok(batch),
    }
}

fn typed<T>(batch: &RecordBatch, name: &str, cast: impl Fn(&ArrayRef) -> Option<T>) -> Result<T> {
    let column = batch.column_by_name(name);
    let found = column.map(|column| column.data_type());
    column.and_then(cast).ok_or_else(|| {
        Error::data(
            Place::default().column(name),
            match found {
                Some(found) => format!("{found} is not the declared type"),
                None => "the column is missing".to_owned(),
            },
            "complete the rows first; a projection of rollouts needs the keys and `token_mask`",
        )
    })
}
