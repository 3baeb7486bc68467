//! How many tokens and steps each rollout has, where `token_mask` and `step_ends` do not say it.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, BooleanBufferBuilder, Int32Array, ListArray, RecordBatch, StringArray,
    cast::AsArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::{is_not_null, kernels::zip::zip};
use arrow::datatypes::{DataType, Field, Int32Type};

use super::{is_environment_kind, role};
use crate::{Error, Place, Result};

/// The lists of a batch that tell lengths.
pub(super) struct Lengths<'a> {
    rows: usize,
    rollouts: Option<&'a StringArray>,
    mask: Option<&'a ListArray>,
    ends: Option<&'a ListArray>,
    kinds: Option<&'a ListArray>,
    tokens: Vec<&'a ListArray>,
    steps: Vec<&'a ListArray>,
}

/// The elements of one row in a list's child array; `None` where the row is null.
fn row_range(list: &ListArray, row: usize) -> Option<Range<usize>> {
    let offsets = list.value_offsets();
    list.is_valid(row).then(|| offsets[row] as usize..offsets[row + 1] as usize)
}

impl<'a> Lengths<'a> {
    /// Looks at the columns of a conforming batch.
    pub(super) fn of(batch: &'a RecordBatch) -> Self {
        let list = |name: &str| batch.column_by_name(name).and_then(|c| c.as_list_opt::<i32>());
        let level = |wanted: &str, except: &str| -> Vec<&'a ListArray> {
            let schema = batch.schema_ref();
            let columns = schema.fields().iter().zip(batch.columns());
            columns
                .filter(|(field, _)| {
                    field.name() != except && role(field.name(), field.data_type()).level() == Some(wanted)
                })
                .filter_map(|(_, column)| column.as_list_opt::<i32>())
                .collect()
        };
        Lengths {
            rows: batch.num_rows(),
            rollouts: batch.column_by_name("rollout_id").and_then(|column| column.as_string_opt()),
            mask: list("token_mask"),
            ends: list("step_ends"),
            kinds: list("step_kinds"),
            tokens: level("token", "token_mask"),
            steps: level("step", "step_ends"),
        }
    }

    /// Steps and tokens without `step_ends` do not fit together.
    pub(super) fn refuse_steps_without_ends(&self, file: &str) -> Result<()> {
        if self.ends.is_some() || self.steps.is_empty() || self.tokens.is_empty() {
            return Ok(());
        }
        let unknown = (0..self.rows)
            .find(|&row| self.tokens(row).is_some() && self.steps(row).is_some_and(|steps| steps > 0));
        let Some(row) = unknown else {
            return Ok(());
        };
        let place = Place::file(file).column("step_ends");
        let place = match self.rollouts {
            Some(ids) if ids.is_valid(row) => place.rollout(ids.value(row)),
            _ => place,
        };
        Err(Error::data(
            place,
            "the rollout has tokens and steps, but the column that says where each step ends is missing",
            "add (or read) `step_ends`, the exclusive token offset at which each step ends",
        ))
    }

    /// `token_mask` with its missing rows derived; `None` where there is nothing to derive.
    pub(super) fn mask(&self, file: &str) -> Result<Option<ArrayRef>> {
        if self.mask.is_some_and(|mask| mask.null_count() == 0) {
            return Ok(None);
        }
        let mut bits = BooleanBufferBuilder::new(self.rows);
        let mut offsets = Offsets::new(self.rows, file, "token_mask");
        for row in 0..self.rows {
            let derived = match self.mask {
                Some(mask) => mask.is_null(row) && self.tokens(row).is_none(),
                None => true,
            };
            if derived {
                self.append_mask(row, &mut bits, &mut offsets)?;
            }
            offsets.end_row(derived);
        }
        let (offsets, nulls) = offsets.finish();
        let values = Arc::new(BooleanArray::new(bits.finish(), None));
        let derived = list_array(DataType::Boolean, offsets, values, nulls)?;
        match self.mask {
            Some(mask) => Ok(Some(zip(&is_not_null(mask)?, mask, &derived)?)),
            None => Ok(Some(Arc::new(derived))),
        }
    }

    /// `step_ends` with the rows filled that have steps and no tokens; `None` where there is none.
    pub(super) fn step_ends(&self, file: &str) -> Result<Option<ArrayRef>> {
        let nothing_missing = match (self.ends, self.mask) {
            (Some(ends), _) => ends.null_count() == 0,
            (None, mask) => mask.is_some(),
        };
        if nothing_missing || self.steps.is_empty() {
            return Ok(None);
        }
        let mut values: Vec<i32> = Vec::new();
        let mut offsets = Offsets::new(self.rows, file, "step_ends");
        let mut any = self.ends.is_none();
        for row in 0..self.rows {
            let missing = self.ends.is_none_or(|ends| ends.is_null(row))
                && self.mask.is_none_or(|mask| mask.is_null(row))
                && self.tokens(row).is_none();
            let steps = self.steps(row).filter(|&steps| missing && steps > 0);
            if let Some(steps) = steps {
                offsets.grow(steps)?;
                values.extend(1..=steps as i32);
                any = true;
            }
            offsets.end_row(steps.is_some());
        }
        if !any {
            return Ok(None);
        }
        let (offsets, nulls) = offsets.finish();
        let derived = list_array(DataType::Int32, offsets, Arc::new(Int32Array::from(values)), nulls)?;
        match self.ends {
            Some(ends) => Ok(Some(zip(&is_not_null(ends)?, ends, &derived)?)),
            None => Ok(Some(Arc::new(derived))),
        }
    }

    /// Tokens of the row by any list of tokens but the mask.
    fn tokens(&self, row: usize) -> Option<usize> {
        first_length(&self.tokens, row)
    }

    /// Steps of the row by any list of steps but `step_ends`.
    fn steps(&self, row: usize) -> Option<usize> {
        first_length(&self.steps, row)
    }

    fn append_mask(
        &self,
        row: usize,
        bits: &mut BooleanBufferBuilder,
        offsets: &mut Offsets<'_>,
    ) -> Result<()> {
        let ends: Option<&[i32]> = self.ends.and_then(|list| {
            let values = list.values().as_primitive_opt::<Int32Type>()?;
            Some(&values.values()[row_range(list, row)?])
        });
        let last = ends.and_then(|ends| ends.last()).map(|&end| end.max(0) as usize);
        let steps = self.steps(row).filter(|&steps| steps > 0);
        let tokens = self.tokens(row).or(last).or(steps).unwrap_or(1);
        offsets.grow(tokens)?;
        let one_each = ends.is_none() && self.tokens(row).is_none();
        let mut done = 0;
        if ends.is_some() || one_each {
            for (step, policy) in self.policy_steps(row).enumerate() {
                let end = match ends {
                    Some(ends) => ends.get(step).map_or(done, |&end| end.max(0) as usize),
                    None => step + 1,
                };
                let end = end.clamp(done, tokens);
                bits.append_n(end - done, policy);
                done = end;
            }
        }
        bits.append_n(tokens - done, true);
        Ok(())
    }

    /// Whether each step of the row is policy; nothing where the kinds are not known.
    fn policy_steps(&self, row: usize) -> impl Iterator<Item = bool> {
        let kinds = self.kinds.and_then(|list| {
            let kinds: &StringArray = list.values().as_string_opt()?;
            Some((kinds, row_range(list, row)?))
        });
        kinds.into_iter().flat_map(|(kinds, range)| {
            range.map(|i| !(kinds.is_valid(i) && is_environment_kind(kinds.value(i))))
        })
    }
}

fn first_length(lists: &[&ListArray], row: usize) -> Option<usize> {
    lists.iter().find_map(|list| row_range(list, row)).map(|range| range.len())
}

fn list_array(
    element: DataType,
    offsets: OffsetBuffer<i32>,
    values: ArrayRef,
    nulls: NullBuffer,
) -> Result<ListArray> {
    let field = Arc::new(Field::new("element", element, true));
    let nulls = Some(nulls).filter(|nulls| nulls.null_count() > 0);
    Ok(ListArray::try_new(field, offsets, values, nulls)?)
}

/// Offsets and validity of a list column under construction.
struct Offsets<'a> {
    total: i32,
    offsets: Vec<i32>,
    valid: BooleanBufferBuilder,
    file: &'a str,
    column: &'a str,
}

impl<'a> Offsets<'a> {
    fn new(rows: usize, file: &'a str, column: &'a str) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Offsets { total: 0, offsets, valid: BooleanBufferBuilder::new(rows), file, column }
    }

    fn grow(&mut self, elements: usize) -> Result<()> {
        let total = i32::try_from(elements).ok().and_then(|elements| self.total.checked_add(elements));
        self.total = total.ok_or_else(|| {
            Error::data(
                Place::file(self.file).column(self.column),
                "the rollouts of one batch have more than 2147483647 positions",
                "check `step_ends`, or read the file in smaller batches",
            )
        })?;
        Ok(())
    }

    fn end_row(&mut self, valid: bool) {
        self.offsets.push(self.total);
        self.valid.append(valid);
    }

    fn finish(mut self) -> (OffsetBuffer<i32>, NullBuffer) {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        (offsets, NullBuffer::new(self.valid.finish()))
    }
}
