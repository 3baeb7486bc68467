//! A unit: the rows of whole groups in canonical order, with the extents of their levels.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Int32Type, Int64Type};

use super::level::{Level, ROLLOUT, STEP, TOKEN, TURN};
use super::order::compare_ids;
use crate::columns::is_environment_kind;
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
                if row == 0 || iterations.value(row) != iterations.value(row - 1) || ids.value(row) != ids.value(row - 1) {
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
        Unit { batch, groups, group_of, extents: RefCell::default(), policy_steps: RefCell::default() }
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

    fn measure(&self, level: &Level) -> Result<Extent> {
        if *level == ROLLOUT {
            return Ok(Extent { rows: (0..=self.rows()).collect(), spans: None, parts: None });
        }
        if *level == TOKEN {
            let rows = self.lengths(level, &["token_mask".to_owned()])?;
            return Ok(Extent { rows, spans: None, parts: None });
        }
        if let Some((outer, inner)) = level.parts() {
            return self.measure_pair(&outer, &inner);
        }
        if *level == TURN && self.has_columns(&STEP) {
            return self.measure_turns();
        }
        let rows = self.lengths(level, &self.columns_of(level))?;
        let spans = self.measure_spans(level, &rows)?;
        Ok(Extent { rows, spans, parts: None })
    }

    fn columns_of(&self, level: &Level) -> Vec<String> {
        let prefix = format!("{level}_");
        let schema = self.batch.schema();
        let lists = schema.fields().iter().filter(|field| matches!(field.data_type(), arrow::datatypes::DataType::List(_)));
        lists.map(|field| field.name().clone()).filter(|name| name.starts_with(&prefix)).collect()
    }

    fn has_columns(&self, level: &Level) -> bool {
        !self.columns_of(level).is_empty()
    }

    /// Element offsets of a level: per row, the length of the first of its lists that is there.
    fn lengths(&self, level: &Level, columns: &[String]) -> Result<Vec<usize>> {
        let lists: Vec<&ListArray> = columns.iter().filter_map(|name| self.list(name)).collect();
        if lists.is_empty() {
            return Err(Error::expression(level.name(), format!("the data has no level `{level}`"), format!("add a list column {level}_<name>")));
        }
        let mut rows = Vec::with_capacity(self.rows() + 1);
        let mut total = 0;
        rows.push(0);
        for row in 0..self.rows() {
            let list = lists.iter().find(|list| list.is_valid(row));
            total += list.map_or(0, |list| list.value_length(row) as usize);
            rows.push(total);
        }
        Ok(rows)
    }

    fn measure_spans(&self, level: &Level, rows: &[usize]) -> Result<Option<Vec<(usize, usize)>>> {
        let Some(ends) = self.list(&format!("{level}_ends")) else { return Ok(None) };
        let tokens = self.extent(&TOKEN)?;
        let starts = self.list(&format!("{level}_starts"));
        let mut spans = Vec::with_capacity(rows.last().copied().unwrap_or(0));
        for row in 0..self.rows() {
            let (first, past) = (tokens.rows[row], tokens.rows[row + 1]);
            let ends = ends.value(row);
            let ends = ends.as_primitive::<Int32Type>();
            let starts = starts.map(|starts| starts.value(row));
            let mut begin = first;
            for i in 0..ends.len() {
                if let Some(starts) = &starts {
                    begin = first + starts.as_primitive::<Int32Type>().value(i).max(0) as usize;
                }
                let end = first + ends.value(i).max(0) as usize;
                if end < begin || end > past {
                    return Err(Error::data(
                        self.place(row, &format!("{level}_ends")),
                        format!("element {i} spans tokens {}..{}, but the rollout has {} tokens", begin - first, end as i64 - first as i64, past - first),
                        "spans are exclusive token offsets that do not run backwards",
                    ));
                }
                spans.push((begin, end));
                begin = end;
            }
        }
        if spans.len() != rows.last().copied().unwrap_or(0) {
            return Err(Error::data(Place::default().column(format!("{level}_ends")), "is null or has another length than the other columns of its level", "every list of a level has the same length"));
        }
        Ok(Some(spans))
    }

    /// Inner elements of each outer one: per list, its length in the first column that has it.
    fn measure_pair(&self, outer: &Level, inner: &Level) -> Result<Extent> {
        let base = self.extent(outer)?;
        let prefix = format!("{outer}_{inner}_");
        let names: Vec<String> = self.columns_of(outer).into_iter().filter(|name| name.starts_with(&prefix)).collect();
        let lists: Vec<(&String, &ListArray, &ListArray)> = names
            .iter()
            .filter_map(|name| self.list(name).and_then(|list| Some((name, list, list.values().as_list_opt::<i32>()?))))
            .collect();
        if lists.is_empty() {
            return Err(Error::expression(prefix.clone(), "the data has no such lists", format!("add a column {prefix}<name> of lists of lists")));
        }
        let mut parts = Vec::with_capacity(base.len());
        let mut at = 0;
        for row in 0..self.rows() {
            let expected = base.rows[row + 1] - base.rows[row];
            for (name, list, _) in &lists {
                let found = list.value_length(row) as usize;
                if list.is_valid(row) && found != expected {
                    return Err(Error::data(self.place(row, name), format!("has {found} lists, but its level {outer} has {expected} elements"), "every list of a level has the same length"));
                }
            }
            for i in 0..expected {
                let length = lists.iter().filter(|(_, list, _)| list.is_valid(row)).find_map(|(_, list, inner)| {
                    let i = list.value_offsets()[row] as usize + i;
                    inner.is_valid(i).then(|| inner.value_length(i) as usize)
                });
                let length = length.unwrap_or(0);
                parts.push((at, at + length));
                at += length;
            }
        }
        let rows = base.rows.iter().map(|&outer| if outer == 0 { 0 } else { parts[outer - 1].1 }).collect();
        Ok(Extent { rows, spans: None, parts: Some(parts) })
    }

    /// Turns are `step_turns` where given; else a maximal run of policy steps and the environment
    /// steps after it, with leading environment steps in turn 0.
    fn measure_turns(&self) -> Result<Extent> {
        let steps = self.extent(&STEP)?;
        let policy = self.policy_steps()?;
        let turns = self.list("step_turns");
        let (mut rows, mut parts) = (vec![0], Vec::new());
        for row in 0..self.rows() {
            let (first, past) = (steps.rows[row], steps.rows[row + 1]);
            let given = turns.filter(|turns| turns.is_valid(row)).map(|turns| turns.value(row));
            let mut begin = first;
            let mut acted = false;
            for step in first..past {
                let opens = match &given {
                    Some(turns) => {
                        let turns = turns.as_primitive::<Int32Type>();
                        step > first && turns.value(step - first) != turns.value(step - first - 1)
                    }
                    None => step > first && policy[step] && !policy[step - 1] && acted,
                };
                if opens {
                    parts.push((begin, step));
                    begin = step;
                }
                acted |= policy[step];
            }
            if past > first {
                parts.push((begin, past));
            }
            rows.push(parts.len());
        }
        let spans = steps.spans.as_ref().map(|spans| {
            parts.iter().map(|&(first, past)| (spans[first].0, spans[past - 1].1)).collect()
        });
        Ok(Extent { rows, spans, parts: Some(parts) })
    }

    /// True at policy steps: by kind, or where kinds are absent, by a trainable token.
    pub fn policy_steps(&self) -> Result<Rc<Vec<bool>>> {
        if let Some(known) = self.policy_steps.borrow().as_ref() {
            return Ok(known.clone());
        }
        let steps = self.extent(&STEP)?;
        let mut policy = vec![true; steps.len()];
        if let Some(kinds) = self.list("step_kinds") {
            for row in 0..self.rows() {
                if !kinds.is_valid(row) {
                    continue;
                }
                let kinds = kinds.value(row);
                let kinds = kinds.as_string::<i32>();
                for i in 0..kinds.len() {
                    policy[steps.rows[row] + i] = !(kinds.is_valid(i) && is_environment_kind(kinds.value(i)));
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
        ranges.clone().ok_or_else(|| {
            Error::expression(fine.name(), format!("does not lie inside level {coarse}"), "bring both to tokens, or place items by their index")
        })
    }
}

/// The flat child values of a list column, without what a slice hides.
pub(super) fn flat(list: &ListArray) -> ArrayRef {
    let offsets = list.value_offsets();
    let first = offsets.first().copied().unwrap_or(0) as usize;
    let past = offsets.last().copied().unwrap_or(0) as usize;
    list.values().slice(first, past - first)
}

fn iterations(batch: &RecordBatch) -> Result<&arrow::array::Int64Array> {
    batch.column_by_name("iteration").and_then(|column| column.as_primitive_opt::<Int64Type>()).ok_or_else(|| {
        Error::data(Place::default().column("iteration"), "is missing or not an Int64", "complete the rows before credit is assigned")
    })
}

fn text<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray> {
    batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>()).ok_or_else(|| {
        Error::data(Place::default().column(name), "is missing or not text", "every rollout has a group_id and a rollout_id")
    })
}

fn canonical(batch: RecordBatch) -> Result<RecordBatch> {
    let order = {
        let iterations = iterations(&batch)?;
        let groups = text(&batch, "group_id")?;
        let rollouts = text(&batch, "rollout_id")?;
        let compare = |&a: &usize, &b: &usize| {
            let same_group = groups.value(a) == groups.value(b);
            iterations.value(a).cmp(&iterations.value(b))
                .then_with(|| if same_group { std::cmp::Ordering::Equal } else { compare_ids(groups.value(a), groups.value(b)) })
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
