//! Values of other items or rollouts: fetch and send.

use std::collections::HashMap;

use super::Evaluator;
use super::elementwise::numbers;
use super::keys::encode;
use super::reduce::Accumulated;
use crate::credit::column::Column;
use crate::credit::expression::{Expr, Reduction};
use crate::credit::level::{ROLLOUT, TOKEN};
use crate::{Error, Result};

impl Evaluator<'_> {
    /// The value where `ids` equals `key`: among the rollout's items, or for rollout-level ids
    /// among the rollouts of the group. Null where no id fits.
    pub(super) fn fetch(&mut self, x: &Expr, ids: &Expr, key: &Expr) -> Result<Column> {
        let (x, ids, key) = (self.value(x)?, self.value(ids)?, self.value(key)?);
        let from = ids.level.clone().unwrap_or(ROLLOUT);
        let to = key.level.clone().unwrap_or(ROLLOUT);
        let x = self.spread_constant(&x, &from)?;
        let scope_of_row = |row: usize| {
            if from == ROLLOUT { self.unit.group_of()[row] } else { row }
        };
        let mut found: HashMap<(usize, Vec<u8>), usize> = HashMap::new();
        for (i, row) in self.row_of(&from)?.into_iter().enumerate() {
            let mut encoded = Vec::new();
            if encode(&ids, i, &mut encoded) {
                found.entry((scope_of_row(row), encoded)).or_insert(i);
            }
        }
        let rows = self.row_of(&to)?;
        let positions: Vec<Option<usize>> = rows
            .into_iter()
            .enumerate()
            .map(|(i, row)| {
                let mut encoded = Vec::new();
                encode(&key, i, &mut encoded)
                    .then(|| found.get(&(scope_of_row(row), encoded)).copied())
                    .flatten()
            })
            .collect();
        Ok(x.gather(Some(to), &positions))
    }

    /// Values of rollouts given to the rollout of the group with id `to`; null where none arrives.
    pub(super) fn send(
        &mut self,
        x: &Expr,
        to: &Expr,
        position: Option<&Expr>,
        reduction: Reduction,
    ) -> Result<Column> {
        let (x, to) = (self.value(x)?, self.value(to)?);
        let (x, to) = (self.spread_constant(&x, &ROLLOUT)?, self.spread_constant(&to, &ROLLOUT)?);
        let position = match position {
            Some(position) => {
                let position = self.value(position)?;
                Some(self.spread_constant(&position, &ROLLOUT)?)
            }
            None => None,
        };
        let ids = super::super::load::load(self.unit, "rollout_id", &ROLLOUT)?;
        let mut row_of: HashMap<(usize, Vec<u8>), usize> = HashMap::new();
        for row in 0..self.unit.rows() {
            let mut encoded = Vec::new();
            encode(&ids, row, &mut encoded);
            row_of.insert((self.unit.group_of()[row], encoded), row);
        }
        let level = if position.is_some() { TOKEN } else { ROLLOUT };
        let extent = self.unit.extent(&level)?;
        let mut states = vec![Accumulated::default(); extent.len()];
        let values = numbers(&x);
        for row in (0..self.unit.rows()).filter(|&row| x.is_valid(row)) {
            let mut encoded = Vec::new();
            if !encode(&to, row, &mut encoded) {
                continue;
            }
            let Some(&target) = row_of.get(&(self.unit.group_of()[row], encoded)) else {
                continue;
            };
            let at = match &position {
                None => target,
                Some(position) => {
                    let Some(at) = position.number(row) else {
                        continue;
                    };
                    let length = extent.rows[target + 1] - extent.rows[target];
                    if !(0.0..length as f64).contains(&at) {
                        // A rollout that is left out may lack the elements that its positions count.
                        if !self.in_baseline[row] {
                            continue;
                        }
                        return Err(Error::data(
                            self.unit.place(row, "position"),
                            format!(
                                "token {at} lies outside the {length} tokens of the rollout that receives it"
                            ),
                            "positions count from 0 in the receiving rollout",
                        ));
                    }
                    extent.rows[target] + at as usize
                }
            };
            states[at].add(values[row], 1.0);
        }
        let results = states.iter().map(|state| state.finish(reduction));
        let (values, valid): (Vec<f64>, Vec<bool>) =
            results.map(|value| (value.unwrap_or(0.0), value.is_some())).unzip();
        Ok(Column::numbers(Some(level), values).with_valid(valid))
    }
}
