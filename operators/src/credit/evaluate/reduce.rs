//! Between levels: reduce, spread and place.

use std::rc::Rc;

use super::Evaluator;
use super::elementwise::{greatest, least, numbers};
use crate::credit::column::Column;
use crate::credit::expression::{Expr, Members, Position, Reduction};
use crate::credit::level::{Level, ROLLOUT};
use crate::{Error, Result};

impl Evaluator<'_> {
    pub(super) fn reduce(
        &mut self,
        x: &Expr,
        level: &Level,
        reduction: Reduction,
        weights: Option<&Expr>,
        members: &Members,
        empty: Option<f64>,
    ) -> Result<Column> {
        let column = self.value(x)?;
        let from = column.level.clone().unwrap_or(ROLLOUT);
        let taking_part = self.members(members, &from, false)?;
        let weights = match weights {
            Some(weights) => {
                let weights = self.value(weights)?;
                Some(self.at(&weights, &from)?)
            }
            None => None,
        };
        let ranges = self.unit.ranges(level, &from)?;
        let member = |i: usize| taking_part[i] && column.is_valid(i);
        match reduction {
            Reduction::First | Reduction::Last => {
                let positions: Vec<Option<usize>> = ranges
                    .into_iter()
                    .map(|(first, past)| {
                        let mut inside = first..past;
                        if reduction == Reduction::First {
                            inside.find(|&i| member(i))
                        } else {
                            inside.rev().find(|&i| member(i))
                        }
                    })
                    .collect();
                let picked = column.gather(Some(level.clone()), &positions);
                Ok(match empty {
                    Some(empty) => super::elementwise::or_else(
                        Some(level.clone()),
                        &picked,
                        &Column::numbers(None, vec![empty]),
                    ),
                    None => picked,
                })
            }
            Reduction::Any | Reduction::All => {
                let truth = column.as_booleans();
                let any = reduction == Reduction::Any;
                let results = ranges.into_iter().map(|(first, past)| {
                    let members = (first..past).filter(|&i| member(i)).map(|i| truth[i]);
                    let known = members.reduce(|a, b| if any { a || b } else { a && b });
                    known.or(empty.map(|empty| empty != 0.0))
                });
                let (values, valid): (Vec<bool>, Vec<bool>) =
                    results.map(|value| (value.unwrap_or(false), value.is_some())).unzip();
                Ok(Column::booleans(Some(level.clone()), values).with_valid(valid))
            }
            _ => {
                let values = numbers(&column);
                let factors =
                    weights.as_ref().map(|weights| numbers(weights).into_owned()).unwrap_or_default();
                let weight = |i: usize| match &weights {
                    Some(weights) => {
                        let at = if weights.level.is_none() { 0 } else { i };
                        weights.is_valid(at).then(|| factors[at])
                    }
                    None => Some(1.0),
                };
                let plain = weights.is_none() && !values.is_empty();
                let results = ranges.into_iter().map(|(first, past)| {
                    if plain && matches!(reduction, Reduction::Sum | Reduction::Mean) {
                        return summed(reduction, &values, (first..past).filter(|&i| member(i))).or(empty);
                    }
                    let mut state = Accumulated::default();
                    for i in (first..past).filter(|&i| member(i)) {
                        if let Some(weight) = weight(i) {
                            state.add(values.get(i).copied().unwrap_or(0.0), weight);
                        }
                    }
                    state.finish(reduction).or(empty)
                });
                let (values, valid): (Vec<f64>, Vec<bool>) =
                    results.map(|value| (value.unwrap_or(0.0), value.is_some())).unzip();
                Ok(Column::numbers(Some(level.clone()), values).with_valid(valid))
            }
        }
    }

    pub(super) fn spread(
        &mut self,
        x: &Expr,
        level: &Level,
        position: Position,
        members: &Members,
    ) -> Result<Rc<Column>> {
        let column = self.value(x)?;
        if position == Position::All {
            let column = self.at(&column, level)?;
            if column.level.is_none() {
                let length = self.unit.extent(level)?.len();
                return Ok(Rc::new(column.gather(Some(level.clone()), &vec![Some(0); length])));
            }
            return Ok(column);
        }
        let coarse = column.level.clone().unwrap_or(ROLLOUT);
        let taking_part = self.members(members, level, false)?;
        let values = numbers(&column);
        let mut results = vec![0.0; taking_part.len()];
        let mut valid = vec![true; taking_part.len()];
        for (i, (first, past)) in self.unit.ranges(&coarse, level)?.into_iter().enumerate() {
            let mut inside = first..past;
            let target = match position {
                Position::First => inside.find(|&i| taking_part[i]),
                _ => inside.rev().find(|&i| taking_part[i]),
            };
            let Some(target) = target else { continue };
            let from = if column.level.is_none() { 0 } else { i };
            results[target] = values[from];
            valid[target] = column.is_valid(from);
        }
        Ok(Rc::new(Column::numbers(Some(level.clone()), results).with_valid(valid)))
    }

    /// Values to the element whose index in the rollout is `position`; null where none arrives.
    pub(super) fn place(
        &mut self,
        x: &Expr,
        level: &Level,
        position: &Expr,
        reduction: Reduction,
    ) -> Result<Column> {
        let (x, position) = (self.value(x)?, self.value(position)?);
        let (from, x, position) = self.together(&x, &position)?;
        let from = from.unwrap_or(ROLLOUT);
        let (x, position) = (self.spread_constant(&x, &from)?, self.spread_constant(&position, &from)?);
        let (values, positions) = (numbers(&x), numbers(&position));
        let target = self.unit.extent(level)?;
        let mut states = vec![Accumulated::default(); target.len()];
        for (row, (first, past)) in self.unit.ranges(&ROLLOUT, &from)?.into_iter().enumerate() {
            for i in (first..past).filter(|&i| x.is_valid(i) && position.is_valid(i)) {
                let at = positions[i];
                let length = target.rows[row + 1] - target.rows[row];
                if !(0.0..length as f64).contains(&at) {
                    // A rollout that is left out may lack the elements that its positions count.
                    if !self.in_baseline[row] {
                        continue;
                    }
                    return Err(Error::data(
                        self.unit.place(row, level.name()),
                        format!("position {at} lies outside the {length} {level}s of the rollout"),
                        "positions count from 0 in the rollout",
                    ));
                }
                states[target.rows[row] + at as usize].add(values[i], 1.0);
            }
        }
        let results = states.iter().map(|state| state.finish(reduction));
        let (values, valid): (Vec<f64>, Vec<bool>) =
            results.map(|value| (value.unwrap_or(0.0), value.is_some())).unzip();
        Ok(Column::numbers(Some(level.clone()), values).with_valid(valid))
    }

    pub(super) fn spread_constant(&self, column: &Rc<Column>, level: &Level) -> Result<Rc<Column>> {
        if column.level.is_some() {
            return self.at(column, level);
        }
        let length = self.unit.extent(level)?.len();
        Ok(Rc::new(column.gather(Some(level.clone()), &vec![Some(0); length])))
    }
}

/// The sum or mean of some values; null without any.
fn summed(reduction: Reduction, values: &[f64], members: impl Iterator<Item = usize>) -> Option<f64> {
    let (mut count, mut total) = (0.0, 0.0);
    for i in members {
        count += 1.0;
        total += values[i];
    }
    match reduction {
        _ if count == 0.0 => None,
        Reduction::Mean => Some(total / count),
        _ => Some(total),
    }
}

/// What a reduction has seen.
#[derive(Clone, Default)]
pub(super) struct Accumulated {
    count: usize,
    weight: f64,
    total: f64,
    least: f64,
    greatest: f64,
    first: f64,
    last: f64,
}

impl Accumulated {
    pub(super) fn add(&mut self, x: f64, weight: f64) {
        if self.count == 0 {
            (self.least, self.greatest, self.first) = (x, x, x);
        }
        self.count += 1;
        self.weight += weight;
        self.total += weight * x;
        self.least = least(self.least, x);
        self.greatest = greatest(self.greatest, x);
        self.last = x;
    }

    /// The result; null without any value, except for counts.
    pub(super) fn finish(&self, reduction: Reduction) -> Option<f64> {
        if reduction == Reduction::Count {
            return Some(self.weight);
        }
        if self.count == 0 {
            return None;
        }
        match reduction {
            Reduction::Sum => Some(self.total),
            Reduction::Mean => (self.weight != 0.0).then(|| self.total / self.weight),
            Reduction::Min => Some(self.least),
            Reduction::Max => Some(self.greatest),
            Reduction::First => Some(self.first),
            Reduction::Last => Some(self.last),
            Reduction::Count | Reduction::Any | Reduction::All => None,
        }
    }
}
