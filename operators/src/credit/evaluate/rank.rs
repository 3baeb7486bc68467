//! Ranks among members with the same key; ties in canonical order.

use std::rc::Rc;

use super::Evaluator;
use super::elementwise::numbers;
use super::keys::encode;
use crate::Result;
use crate::credit::column::Column;
use crate::credit::expression::{By, Expr, Members};
use crate::credit::level::{Level, ROLLOUT};
use crate::credit::statistics::{Key, Partial};

/// A key with its row and its range of elements.
type Keyed = (Key, usize, (usize, usize));

impl Evaluator<'_> {
    /// 0-based rank of every member; null where a value takes no part.
    pub(super) fn rank(&mut self, x: &Expr, by: &By, ascending: bool, members: &Members) -> Result<Column> {
        let (column, level, taking_part) = self.ranked(x, members)?;
        let keys = self.key_ids(by)?;
        let ids = self.ids_at(&keys, &level)?;
        let values = numbers(&column);
        let mut groups: Vec<Vec<(u64, u32)>> = vec![Vec::new(); keys.count];
        for (i, id) in ids.iter().enumerate() {
            if taking_part[i]
                && column.is_valid(i)
                && let Some(id) = id
            {
                let order = ordered_bits(values[i] + 0.0);
                groups[*id as usize].push((if ascending { order } else { !order }, i as u32));
            }
        }
        let mut ranks = vec![0.0; column.len()];
        let mut valid = vec![false; column.len()];
        for members in &mut groups {
            // Equal values in canonical order, which is that of their positions.
            members.sort_unstable();
            for (rank, &(_, i)) in members.iter().enumerate() {
                ranks[i as usize] = rank as f64;
                valid[i as usize] = true;
            }
        }
        Ok(Column::numbers(Some(level), ranks).with_valid(valid))
    }

    /// Adds the values of a unit to a batch rank; all of them are kept, 16 bytes each.
    pub(super) fn observe_rank(
        &mut self,
        x: &Expr,
        by: &By,
        members: &Members,
        printed: String,
        partial: &mut Partial,
    ) -> Result<()> {
        let (column, level, taking_part) = self.ranked(x, members)?;
        let keys = self.batch_keys(by, &level)?;
        let values = numbers(&column);
        let mut table = partial.table(printed);
        let extent = self.unit.extent(&level)?;
        for (key, row, (first, past)) in keys {
            let mut members = table.of(key);
            let ranked = members.ranked();
            ranked.add_owner(self.unit.group_id(row), self.unit.rollout_id(row));
            for i in (first..past).filter(|&i| taking_part[i] && column.is_valid(i)) {
                ranked.add(values[i] + 0.0, i - extent.rows[row]);
            }
        }
        Ok(())
    }

    /// Rank among the members of the iteration; ties in canonical order.
    pub(super) fn rank_in_batch(
        &mut self,
        expr: &Expr,
        x: &Expr,
        by: &By,
        ascending: bool,
        members: &Members,
    ) -> Result<Column> {
        let (column, level, taking_part) = self.ranked(x, members)?;
        let keys = self.batch_keys(by, &level)?;
        let values = numbers(&column);
        let table =
            self.statistics.sorted(&expr.to_string()).ok_or_else(|| super::aggregate::not_gathered(expr))?;
        let mut ranks = vec![0.0; column.len()];
        let mut valid = vec![false; column.len()];
        let extent = self.unit.extent(&level)?;
        for (key, row, (first, past)) in keys {
            let Some(sorted) = table.get(&key) else {
                continue;
            };
            let Some(owner) = sorted.owner(self.unit.group_id(row), self.unit.rollout_id(row)) else {
                continue;
            };
            for i in (first..past).filter(|&i| taking_part[i] && column.is_valid(i)) {
                ranks[i] = sorted.rank(values[i] + 0.0, owner, i - extent.rows[row], ascending) as f64;
                valid[i] = true;
            }
        }
        Ok(Column::numbers(Some(level), ranks).with_valid(valid))
    }

    fn ranked(&mut self, x: &Expr, members: &Members) -> Result<(Rc<Column>, Level, Vec<bool>)> {
        let column = self.value(x)?;
        let level = column.level.clone().unwrap_or(ROLLOUT);
        let taking_part = self.members(members, &level, true)?;
        Ok((column, level, taking_part))
    }

    /// Iteration and encoded keys that are not null, each with its row and its elements of `level`.
    fn batch_keys(&mut self, by: &By, level: &Level) -> Result<Vec<Keyed>> {
        let (key_level, columns) = self.key_columns(by)?;
        let rows = self.row_of(&key_level)?;
        let ranges = self.unit.ranges(&key_level, level)?;
        let keyed = ranges.into_iter().enumerate().filter_map(|(at, range)| {
            let mut encoded = Vec::new();
            let keyed = columns.iter().all(|column| encode(column, at, &mut encoded));
            keyed.then(|| ((self.unit.iteration(rows[at]), encoded), rows[at], range))
        });
        Ok(keyed.collect())
    }
}

/// Bits that are ordered as the numbers are by their total order.
fn ordered_bits(x: f64) -> u64 {
    let bits = x.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}
