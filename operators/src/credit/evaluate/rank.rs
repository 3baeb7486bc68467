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

impl Evaluator<'_> {
    /// 0-based rank of every member; null where a value takes no part.
    pub(super) fn rank(&mut self, x: &Expr, by: &By, ascending: bool, members: &Members) -> Result<Column> {
        let (column, level, taking_part) = self.ranked(x, members)?;
        let keys = self.key_ids(by)?;
        let ids = self.ids_at(&keys, &level)?;
        let values = numbers(&column);
        let mut groups: Vec<Vec<usize>> = vec![Vec::new(); keys.count];
        for (i, id) in ids.iter().enumerate() {
            if taking_part[i]
                && column.is_valid(i)
                && let Some(id) = id
            {
                groups[*id as usize].push(i);
            }
        }
        let mut ranks = vec![0.0; column.len()];
        let mut valid = vec![false; column.len()];
        for members in &mut groups {
            members.sort_by(|&a, &b| {
                let order = (values[a] + 0.0).total_cmp(&(values[b] + 0.0));
                if ascending { order } else { order.reverse() }
            });
            for (rank, &i) in members.iter().enumerate() {
                ranks[i] = rank as f64;
                valid[i] = true;
            }
        }
        Ok(Column::numbers(Some(level), ranks).with_valid(valid))
    }

    /// Adds the values of a unit to a batch rank; all of them are kept, 8 bytes each.
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
        for (key, (first, past)) in keys {
            let mut members = table.of(key);
            for i in (first..past).filter(|&i| taking_part[i] && column.is_valid(i)) {
                members.add_ranked(values[i] + 0.0);
            }
        }
        Ok(())
    }

    /// Rank among the members of the iteration: how many are better. Ties share the best rank.
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
        for (key, (first, past)) in keys {
            let Some(sorted) = table.get(&key) else {
                continue;
            };
            for i in (first..past).filter(|&i| taking_part[i] && column.is_valid(i)) {
                let own = values[i] + 0.0;
                let below = sorted.partition_point(|x| x.total_cmp(&own).is_lt());
                let up_to = sorted.partition_point(|x| x.total_cmp(&own).is_le());
                ranks[i] = if ascending { below as f64 } else { (sorted.len() - up_to) as f64 };
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

    /// Iteration and encoded keys that are not null, each with a range of elements of `level`.
    fn batch_keys(&mut self, by: &By, level: &Level) -> Result<Vec<(Key, (usize, usize))>> {
        let (key_level, columns) = self.key_columns(by)?;
        let rows = self.row_of(&key_level)?;
        let ranges = self.unit.ranges(&key_level, level)?;
        let keyed = ranges.into_iter().enumerate().filter_map(|(at, range)| {
            let mut encoded = Vec::new();
            let keyed = columns.iter().all(|column| encode(column, at, &mut encoded));
            keyed.then(|| ((self.unit.iteration(rows[at]), encoded), range))
        });
        Ok(keyed.collect())
    }
}
