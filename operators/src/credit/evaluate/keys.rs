//! Keys of statistics: dense ids inside a unit, and encoded keys that travel between slices.

use std::collections::HashMap;

use super::Evaluator;
use crate::Result;
use crate::credit::column::{Column, Values};
use crate::credit::expression::{By, Scope};
use crate::credit::level::{Level, ROLLOUT};

/// Ids of the keys at the keys' own level; `None` where a key is null.
pub(super) struct KeyIds {
    /// The finest level of the keys; rollout without any.
    pub level: Level,
    /// Id of each element of that level.
    pub ids: Vec<Option<u32>>,
    /// Number of ids.
    pub count: usize,
}

#[derive(PartialEq, Eq, Hash)]
enum KeyValue<'a> {
    Number(u64),
    Text(&'a str),
}

fn key_value(column: &Column, i: usize) -> Option<KeyValue<'_>> {
    let i = if column.level.is_none() { 0 } else { i };
    column.is_valid(i).then(|| match &column.values {
        Values::Number(values) => KeyValue::Number((values[i] + 0.0).to_bits()),
        Values::Boolean(values) => KeyValue::Number(u64::from(values[i])),
        Values::Text(values) => KeyValue::Text(values.value(i)),
    })
}

/// A value as bytes that are equal exactly if the values are.
pub(super) fn encode(column: &Column, i: usize, into: &mut Vec<u8>) -> bool {
    match key_value(column, i) {
        None => false,
        Some(KeyValue::Number(bits)) => {
            into.push(0);
            into.extend(bits.to_le_bytes());
            true
        }
        Some(KeyValue::Text(text)) => {
            into.push(1);
            into.extend((text.len() as u64).to_le_bytes());
            into.extend(text.as_bytes());
            true
        }
    }
}

impl Evaluator<'_> {
    /// The keys' columns at their common level.
    pub(super) fn key_columns(&mut self, by: &By) -> Result<(Level, Vec<std::rc::Rc<Column>>)> {
        let mut level = ROLLOUT;
        let mut columns = Vec::with_capacity(by.keys.len());
        for key in &by.keys {
            let column = self.value(key)?;
            if let Some(own) = &column.level
                && let Some(met) = self.checked.schema.levels.meet(&level, own)
            {
                level = met;
            }
            columns.push(column);
        }
        let columns = columns.iter().map(|column| self.at(column, &level)).collect::<Result<_>>()?;
        Ok((level, columns))
    }

    /// Dense ids of scope and keys, in canonical order of first appearance.
    pub(super) fn key_ids(&mut self, by: &By) -> Result<KeyIds> {
        let (level, columns) = self.key_columns(by)?;
        let rows = self.unit.ranges(&ROLLOUT, &level)?;
        let length = self.unit.extent(&level)?.len();
        let mut ids: Vec<Option<u32>> = vec![None; length];
        for (row, (first, past)) in rows.into_iter().enumerate() {
            let scope = match by.scope {
                Scope::Rollout => row,
                Scope::Group | Scope::Batch | Scope::History(_) => self.unit.group_of()[row],
            };
            ids[first..past].fill(Some(scope as u32));
        }
        let mut count = match by.scope {
            Scope::Rollout => self.unit.rows(),
            Scope::Group | Scope::Batch | Scope::History(_) => self.unit.groups().len().saturating_sub(1),
        };
        for column in &columns {
            if let Some(width) = small_numbers(column).filter(|width| width * count <= 4 * length) {
                count = by_table(&mut ids, column, width, count);
                continue;
            }
            let mut seen: HashMap<(u32, KeyValue), u32> = HashMap::new();
            for (i, id) in ids.iter_mut().enumerate() {
                *id = id.and_then(|scope| {
                    let next = seen.len() as u32;
                    key_value(column, i).map(|value| *seen.entry((scope, value)).or_insert(next))
                });
            }
            count = seen.len();
        }
        Ok(KeyIds { level, ids, count })
    }

    /// Ids brought from the keys' level to a finer one.
    pub(super) fn ids_at(&self, keys: &KeyIds, level: &Level) -> Result<Vec<Option<u32>>> {
        if keys.level == *level {
            return Ok(keys.ids.clone());
        }
        let mut ids = vec![None; self.unit.extent(level)?.len()];
        for (i, (first, past)) in self.unit.ranges(&keys.level, level)?.into_iter().enumerate() {
            ids[first..past].fill(keys.ids[i]);
        }
        Ok(ids)
    }
}

/// One more than the greatest key, where all are whole numbers from 0 on: positions, counts, flags.
fn small_numbers(column: &Column) -> Option<usize> {
    let values = match &column.values {
        Values::Number(values) if column.level.is_some() => values,
        _ => return None,
    };
    let mut greatest = 0.0f64;
    for (_, &x) in values.iter().enumerate().filter(|(i, _)| column.is_valid(*i)) {
        if !(x >= 0.0 && x.fract() == 0.0 && x < 1e9) {
            return None;
        }
        greatest = greatest.max(x);
    }
    Some(greatest as usize + 1)
}

/// The ids of scope and key in order of first appearance, by a table of all that there can be.
fn by_table(ids: &mut [Option<u32>], column: &Column, width: usize, scopes: usize) -> usize {
    let values = column.as_numbers();
    let mut table: Vec<Option<u32>> = vec![None; width * scopes];
    let mut count = 0;
    for (i, id) in ids.iter_mut().enumerate() {
        *id = id.filter(|_| column.is_valid(i)).map(|scope| {
            *table[scope as usize * width + values[i] as usize].get_or_insert_with(|| {
                count += 1;
                count - 1
            })
        });
    }
    count as usize
}
