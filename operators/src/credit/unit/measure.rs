//! Measuring levels: how many elements each rollout has, and which tokens they span.

use arrow::array::{Array, AsArray, ListArray};
use arrow::datatypes::Int32Type;

use super::{Extent, Unit};
use crate::columns::role;
use crate::credit::level::{Level, ROLLOUT, STEP, TOKEN, TURN};
use crate::{Error, Place, Result};

impl Unit {
    pub(super) fn measure(&self, level: &Level) -> Result<Extent> {
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

    pub(super) fn columns_of(&self, level: &Level) -> Vec<String> {
        let schema = self.batch.schema();
        let of_level = schema
            .fields()
            .iter()
            .filter(|field| role(field.name(), field.data_type()).level() == Some(level.name()));
        of_level.map(|field| field.name().clone()).collect()
    }

    pub(super) fn has_columns(&self, level: &Level) -> bool {
        !self.columns_of(level).is_empty()
    }

    /// Element offsets of a level: per row, the length of the first of its lists that is there.
    pub(super) fn lengths(&self, level: &Level, columns: &[String]) -> Result<Vec<usize>> {
        let lists: Vec<&ListArray> = columns.iter().filter_map(|name| self.list(name)).collect();
        if lists.is_empty() {
            return Err(Error::expression(
                level.name(),
                format!("the data has no level `{level}`"),
                format!("add a list column {level}_<name>"),
            ));
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

    pub(super) fn measure_spans(&self, level: &Level, rows: &[usize]) -> Result<Option<Vec<(usize, usize)>>> {
        let Some(ends) = self.list(&format!("{level}_ends")) else {
            return Ok(None);
        };
        let tokens = self.extent(&TOKEN)?;
        let starts = self.list(&format!("{level}_starts"));
        let mut spans = Vec::with_capacity(rows.last().copied().unwrap_or(0));
        for row in 0..self.rows() {
            let (first, past) = (tokens.rows[row], tokens.rows[row + 1]);
            let (ends, starts) = (integers(ends, row), starts.map(|starts| integers(starts, row)));
            let mut begin = first;
            for (i, &end) in ends.iter().enumerate() {
                if let Some(&start) = starts.and_then(|starts| starts.get(i)) {
                    begin = first + start.max(0) as usize;
                }
                let end = first + end.max(0) as usize;
                if end < begin || end > past {
                    return Err(Error::data(
                        self.place(row, &format!("{level}_ends")),
                        format!(
                            "element {i} spans tokens {}..{}, but the rollout has {} tokens",
                            begin - first,
                            end as i64 - first as i64,
                            past - first
                        ),
                        "spans are exclusive token offsets that do not run backwards",
                    ));
                }
                spans.push((begin, end));
                begin = end;
            }
        }
        if spans.len() != rows.last().copied().unwrap_or(0) {
            return Err(Error::data(
                Place::default().column(format!("{level}_ends")),
                "is null or has another length than the other columns of its level",
                "every list of a level has the same length",
            ));
        }
        Ok(Some(spans))
    }

    /// Inner elements of each outer one: per list, its length in the first column that has it.
    pub(super) fn measure_pair(&self, outer: &Level, inner: &Level) -> Result<Extent> {
        let base = self.extent(outer)?;
        let prefix = format!("{outer}_{inner}_");
        let names: Vec<String> =
            self.columns_of(outer).into_iter().filter(|name| name.starts_with(&prefix)).collect();
        let lists: Vec<(&String, &ListArray, &ListArray)> = names
            .iter()
            .filter_map(|name| {
                self.list(name).and_then(|list| Some((name, list, list.values().as_list_opt::<i32>()?)))
            })
            .collect();
        if lists.is_empty() {
            return Err(Error::expression(
                prefix.clone(),
                "the data has no such lists",
                format!("add a column {prefix}<name> of lists of lists"),
            ));
        }
        let mut parts = Vec::with_capacity(base.len());
        let mut at = 0;
        for row in 0..self.rows() {
            let expected = base.rows[row + 1] - base.rows[row];
            for (name, list, _) in &lists {
                let found = list.value_length(row) as usize;
                if list.is_valid(row) && found != expected {
                    return Err(Error::data(
                        self.place(row, name),
                        format!("has {found} lists, but its level {outer} has {expected} elements"),
                        "every list of a level has the same length",
                    ));
                }
            }
            for i in 0..expected {
                let length =
                    lists.iter().filter(|(_, list, _)| list.is_valid(row)).find_map(|(_, list, inner)| {
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
    pub(super) fn measure_turns(&self) -> Result<Extent> {
        let steps = self.extent(&STEP)?;
        let policy = self.policy_steps()?;
        let turns = self.list("step_turns");
        let (mut rows, mut parts) = (vec![0], Vec::new());
        for row in 0..self.rows() {
            let (first, past) = (steps.rows[row], steps.rows[row + 1]);
            let given = turns.filter(|turns| turns.is_valid(row)).map(|turns| integers(turns, row));
            let mut begin = first;
            let mut acted = false;
            for step in first..past {
                let opens = match &given {
                    Some(turns) => step > first && turns.get(step - first) != turns.get(step - first - 1),
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
        let spans = steps
            .spans
            .as_ref()
            .map(|spans| parts.iter().map(|&(first, past)| (spans[first].0, spans[past - 1].1)).collect());
        Ok(Extent { rows, spans, parts: Some(parts) })
    }
}

/// The integers of one row, without a copy.
fn integers(list: &ListArray, row: usize) -> &[i32] {
    let offsets = list.value_offsets();
    &list.values().as_primitive::<Int32Type>().values()[offsets[row] as usize..offsets[row + 1] as usize]
}
