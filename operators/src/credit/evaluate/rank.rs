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
            if taking_part[i] && column.is_valid(i)
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
    pub(super) fn observe_rank(&mut self, x: &Expr, by: &By, members: &Members, printed: String, partial: &mut Partial) -> Result<()> {
        let (column, level, taking_part) = self.ranked(x, members)?;
        let keys = self.batch_keys(by, &level)?;
        let values = numbers(&column);
        let mut table = partial.table(printed);
        for (i, key) in keys.iter().enumerate() {
            if taking_part[i] && column.is_valid(i)
                && let Some(key) = key
            {
                table.add_ranked(key, values[i] + 0.0);
            }
        }
        Ok(())
    }

    /// Rank among the members of the iteration: how many are better. Ties share the best rank.
    pub(super) fn rank_in_batch(&mut self, expr: &Expr, x: &Expr, by: &By, ascending: bool, members: &Members) -> Result<Column> {
        let (column, level, taking_part) = self.ranked(x, members)?;
        let keys = self.batch_keys(by, &level)?;
        let values = numbers(&column);
        let table = self.statistics.sorted(&expr.to_string()).ok_or_else(|| super::aggregate::not_gathered(expr))?;
        let ranks = keys.iter().enumerate().map(|(i, key)| {
            let sorted = table.get(key.as_ref()?)?;
            (taking_part[i] && column.is_valid(i)).then(|| {
                let own = values[i] + 0.0;
                let below = sorted.partition_point(|x| x.total_cmp(&own).is_lt());
                let up_to = sorted.partition_point(|x| x.total_cmp(&own).is_le());
                if ascending { below as f64 } else { (sorted.len() - up_to) as f64 }
            })
        });
        let (ranks, valid): (Vec<f64>, Vec<bool>) = ranks.map(|rank| (rank.unwrap_or(0.0), rank.is_some())).unzip();
        Ok(Column::numbers(Some(level), ranks).with_valid(valid))
    }

    fn ranked(&mut self, x: &Expr, members: &Members) -> Result<(Rc<Column>, Level, Vec<bool>)> {
        let column = self.value(x)?;
        let level = column.level.clone().unwrap_or(ROLLOUT);
        let taking_part = self.members(members, &level, true)?;
        Ok((column, level, taking_part))
    }

    /// Iteration and encoded keys of each element of a level; `None` where a key is null.
    fn batch_keys(&mut self, by: &By, level: &Level) -> Result<Vec<Option<Key>>> {
        let (key_level, columns) = self.key_columns(by)?;
        let rows = self.row_of(&key_level)?;
        let keys: Vec<Option<Key>> = (0..rows.len())
            .map(|at| {
                let mut encoded = Vec::new();
                let keyed = columns.iter().all(|column| encode(column, at, &mut encoded));
                keyed.then(|| (self.unit.iteration(rows[at]), encoded))
            })
            .collect();
        let mut spread = vec![None; self.unit.extent(level)?.len()];
        for (at, (first, past)) in self.unit.ranges(&key_level, level)?.into_iter().enumerate() {
            spread[first..past].fill(keys[at].clone());
        }
        Ok(spread)
    }
}
