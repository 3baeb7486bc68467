//! A unit: the rows of whole groups in canonical order, with the extents of their levels.

mod measure;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, RecordBatch, StringArray, UInt32Array,
};
use arrow::compute::take_record_batch;
use arrow::datatypes::Int64Type;

use crate::columns::is_environment_kind;
use crate::credit::level::{Level, ROLLOUT, STEP, TOKEN, TURN};
use crate::credit::order::compare_ids;
use crate::{Error, Place, Result};

/// Extents of one level in a unit.
#[derive(Debug)]
pub struct Extent {
    /// Elements of row `r` are `rows[r]..rows[r + 1]`.
    pub rows: Vec<usize>,
    /// For span levels, the tokens of each element.
    pub spans: Option<Vec<(usize, usize)>>,
    /// For turns, the steps of each; for pairs, the inner elements of each outer one.
    pub parts: Option<Vec<(usize, usize)>>,
}

impl Extent {
    /// Number of elements in all rows.
    pub fn len(&self) -> usize {
        self.rows.last().copied().unwrap_or(0)
    }

    /// True without elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Rows of whole groups, in canonical order, ready for evaluation.
pub struct Unit {
    batch: RecordBatch,
    groups: Vec<usize>,
    group_of: Vec<usize>,
    extents: RefCell<HashMap<Level, Rc<Extent>>>,
    policy_steps: RefCell<Option<Rc<Vec<bool>>>>,
    trainable: RefCell<Option<Rc<Vec<bool>>>>,
}

impl Unit {
    /// Brings rows of whole groups into canonical order: iteration, group, rollout. Rows that are
    /// in order already are not copied.
    ///
    /// # Errors
    /// Key columns that are missing, of another type, or null.
    pub fn new(batch: RecordBatch) -> Result<Self> {
        let batch = canonical(batch)?;
        let mut groups = Vec::new();
        let mut group_of = Vec::with_capacity(batch.num_rows());
        {
            let iterations = iterations(&batch)?;
            let ids = text(&batch, "group_id")?;
            for row in 0..batch.num_rows() {
                if row == 0
                    || iterations.value(row) != iterations.value(row - 1)
                    || ids.value(row) != ids.value(row - 1)
                {
                    groups.push(row);
                }
                group_of.push(groups.len() - 1);
            }
            groups.push(batch.num_rows());
        }
        Ok(Unit::of_groups(batch, groups, group_of))
    }

    /// A unit of rows that are in canonical order, with its groups.
    pub(super) fn of_groups(batch: RecordBatch, groups: Vec<usize>, group_of: Vec<usize>) -> Self {
        Unit {
            batch,
            groups,
            group_of,
            extents: RefCell::default(),
            policy_steps: RefCell::default(),
            trainable: RefCell::default(),
        }
    }

    /// The rows, in canonical order.
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// Number of rollouts.
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// Rows of group `g` are `groups()[g]..groups()[g + 1]`.
    pub fn groups(&self) -> &[usize] {
        &self.groups
    }

    /// Group of each row.
    pub fn group_of(&self) -> &[usize] {
        &self.group_of
    }

    /// Iteration of a row.
    pub fn iteration(&self, row: usize) -> i64 {
        iterations(&self.batch).map_or(0, |column| column.value(row))
    }

    /// Rollout id of a row.
    pub fn rollout_id(&self, row: usize) -> &str {
        text(&self.batch, "rollout_id").map_or("", |column| column.value(row))
    }

    /// Group id of a row.
    pub fn group_id(&self, row: usize) -> &str {
        text(&self.batch, "group_id").map_or("", |column| column.value(row))
    }

    /// Where a row is, for errors.
    pub fn place(&self, row: usize, column: &str) -> Place {
        Place::default().rollout(self.rollout_id(row)).column(column)
    }

    /// A column by name.
    pub fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.batch.column_by_name(name)
    }

    /// A list column by name.
    pub fn list(&self, name: &str) -> Option<&ListArray> {
        self.column(name).and_then(|column| column.as_list_opt::<i32>())
    }

    /// The token mask as one flat array, one value per token of all rows.
    pub fn mask(&self) -> Result<BooleanArray> {
        let list = self.list("token_mask").ok_or_else(|| Error::MissingSignal {
            recipe: "credit".into(),
            signal: "token_mask".into(),
            hint: "complete the rows on import; token_mask is the record of length".into(),
        })?;
        Ok(flat(list).as_boolean().clone())
    }

    /// The same as plain values.
    pub fn trainable(&self) -> Result<Rc<Vec<bool>>> {
        if let Some(known) = self.trainable.borrow().as_ref() {
            return Ok(known.clone());
        }
        let trainable: Rc<Vec<bool>> = Rc::new(self.mask()?.values().iter().collect());
        *self.trainable.borrow_mut() = Some(trainable.clone());
        Ok(trainable)
    }

    /// Rows without a token that may be trained on.
    pub fn without_trainable_token(&self) -> Result<Vec<usize>> {
        let mask = self.mask()?;
        let tokens = self.extent(&TOKEN)?;
        let empty = |&row: &usize| {
            let (first, past) = (tokens.rows[row], tokens.rows[row + 1]);
            mask.slice(first, past - first).true_count() == 0
        };
        Ok((0..self.rows()).filter(empty).collect())
    }

    /// Extents of a level.
    ///
    /// # Errors
    /// The data has no such level, or its lists disagree in length.
    pub fn extent(&self, level: &Level) -> Result<Rc<Extent>> {
        if let Some(extent) = self.extents.borrow().get(level) {
            return Ok(extent.clone());
        }
        let extent = Rc::new(self.measure(level)?);
        self.extents.borrow_mut().insert(level.clone(), extent.clone());
        Ok(extent)
    }

    /// True at policy steps: by kind, or where kinds are absent, by a trainable token.
    pub fn policy_steps(&self) -> Result<Rc<Vec<bool>>> {
        if let Some(known) = self.policy_steps.borrow().as_ref() {
            return Ok(known.clone());
        }
        let steps = self.extent(&STEP)?;
        let mut policy = vec![true; steps.len()];
        if let Some(kinds) = self.list("step_kinds") {
            let (offsets, texts) = (kinds.value_offsets(), kinds.values().as_string::<i32>());
            for row in (0..self.rows()).filter(|&row| kinds.is_valid(row)) {
                let kinds = offsets[row] as usize..offsets[row + 1] as usize;
                for (policy, i) in policy[steps.rows[row]..steps.rows[row + 1]].iter_mut().zip(kinds) {
                    *policy = !(texts.is_valid(i) && is_environment_kind(texts.value(i)));
                }
            }
        } else if let Some(spans) = &steps.spans {
            let mask = self.mask()?;
            for (step, &(first, past)) in spans.iter().enumerate() {
                policy[step] = (first..past).any(|token| mask.value(token));
            }
        }
        let policy = Rc::new(policy);
        *self.policy_steps.borrow_mut() = Some(policy.clone());
        Ok(policy)
    }

    /// For each element of `coarse`, the range of its elements of `fine`, which lies within it.
    pub fn ranges(&self, coarse: &Level, fine: &Level) -> Result<Vec<(usize, usize)>> {
        let inner = self.extent(fine)?;
        if coarse == fine {
            return Ok((0..inner.len()).map(|i| (i, i + 1)).collect());
        }
        if *coarse == ROLLOUT {
            return Ok(inner.rows.windows(2).map(|pair| (pair[0], pair[1])).collect());
        }
        if let Some((outer, _)) = fine.parts() {
            let parts = inner.parts.as_deref().unwrap_or_default();
            let base = self.ranges(coarse, &outer)?;
            let at = |outer: usize| if outer == 0 { 0 } else { parts[outer - 1].1 };
            return Ok(base.into_iter().map(|(first, past)| (at(first), at(past))).collect());
        }
        let outer = self.extent(coarse)?;
        let ranges = if *fine == TOKEN { &outer.spans } else { &outer.parts };
        ranges.clone().ok_or_else(|| match fine {
            // Turns that are made of steps lie where their steps do.
            fine if *fine == TOKEN && *coarse == TURN && self.has_columns(&STEP) => Error::data(
                Place::default().column("step_ends"),
                "is missing: nothing says which tokens each turn has",
                "add (or read) the exclusive token offset at which each step ends",
            ),
            fine if *fine == TOKEN => Error::data(
                Place::default().column(format!("{coarse}_ends")),
                format!("is missing: nothing says which tokens each {coarse} has"),
                "add (or read) the exclusive token offset at which each ends",
            ),
            fine => Error::expression(
                fine.name(),
                format!("does not lie inside level {coarse}"),
                "bring both to tokens, or place items by their index",
            ),
        })
    }
}

/// The flat child values of a list column, without what a slice hides.
pub(in crate::credit) fn flat(list: &ListArray) -> ArrayRef {
    let offsets = list.value_offsets();
    let first = offsets.first().copied().unwrap_or(0) as usize;
    let past = offsets.last().copied().unwrap_or(0) as usize;
    list.values().slice(first, past - first)
}

fn iterations(batch: &RecordBatch) -> Result<&arrow::array::Int64Array> {
    batch.column_by_name("iteration").and_then(|column| column.as_primitive_opt::<Int64Type>()).ok_or_else(
        || {
            Error::data(
                Place::default().column("iteration"),
                "is missing or not an Int64",
                "complete the rows before credit is assigned",
            )
        },
    )
}

fn text<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray> {
    batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>()).ok_or_else(|| {
        Error::data(
            Place::default().column(name),
            "is missing or not text",
            "every rollout has a group_id and a rollout_id",
        )
    })
}

fn canonical(batch: RecordBatch) -> Result<RecordBatch> {
    let order = {
        let iterations = iterations(&batch)?;
        let groups = text(&batch, "group_id")?;
        let rollouts = text(&batch, "rollout_id")?;
        let compare = |&a: &usize, &b: &usize| {
            let same_group = groups.value(a) == groups.value(b);
            iterations
                .value(a)
                .cmp(&iterations.value(b))
                .then_with(|| {
                    if same_group {
                        std::cmp::Ordering::Equal
                    } else {
                        compare_ids(groups.value(a), groups.value(b))
                    }
                })
                .then_with(|| compare_ids(rollouts.value(a), rollouts.value(b)))
        };
        if (1..batch.num_rows()).all(|row| compare(&(row - 1), &row).is_le()) {
            None
        } else {
            let mut order: Vec<usize> = (0..batch.num_rows()).collect();
            order.sort_by(compare);
            Some(UInt32Array::from_iter_values(order.into_iter().map(|row| row as u32)))
        }
    };
    match order {
        None => Ok(batch),
        Some(order) => Ok(take_record_batch(&batch, &order)?),
    }
}
