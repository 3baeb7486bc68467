//! Primitives along a rollout: shift, scan and recur.

use super::Evaluator;
use super::elementwise::{greatest, least, numbers};
use crate::Result;
use crate::credit::column::Column;
use crate::credit::expression::{Expr, Members, Running};
use crate::credit::level::{Level, ROLLOUT};

/// Elements of a level in the order of their sequences.
struct Sequences {
    /// Where each sequence lies in the order.
    ranges: Vec<(usize, usize)>,
    /// The element at each place; `None` where they are in order anyway.
    order: Option<Vec<usize>>,
}

impl Sequences {
    /// The elements of one sequence.
    fn elements(&self, (first, past): (usize, usize)) -> impl DoubleEndedIterator<Item = usize> {
        (first..past).map(|place| self.order.as_ref().map_or(place, |order| order[place]))
    }
}

impl Evaluator<'_> {
    /// The sequences of a level: the elements of each rollout. Of a pair level each item is a sequence of its own,
    /// from one outer element to the next.
    fn sequences(&self, level: &Level) -> Result<Sequences> {
        let Some((outer, _)) = level.parts() else {
            return Ok(Sequences { ranges: self.unit.ranges(&ROLLOUT, level)?, order: None });
        };
        let parts = self.unit.ranges(&outer, level)?;
        let (mut ranges, mut order) = (Vec::new(), Vec::new());
        for (first, past) in self.unit.ranges(&ROLLOUT, &outer)? {
            let parts = &parts[first..past];
            let items = parts.iter().map(|(begin, end)| end - begin).max().unwrap_or(0);
            for item in 0..items {
                let start = order.len();
                let of_item = parts.iter().map(|&(begin, end)| (begin + item, end));
                order.extend(of_item.filter(|(at, end)| at < end).map(|(at, _)| at));
                ranges.push((start, order.len()));
            }
        }
        Ok(Sequences { ranges, order: Some(order) })
    }

    fn sequence_level(column: &Column) -> Level {
        column.level.clone().unwrap_or(ROLLOUT)
    }

    /// The value `by` members earlier. Positions left out get null.
    pub(super) fn shift(
        &mut self,
        x: &Expr,
        by: i64,
        initial: Option<&Expr>,
        members: &Members,
    ) -> Result<Column> {
        let column = self.value(x)?;
        let level = Self::sequence_level(&column);
        let taking_part = self.members(members, &level, false)?;
        let mut positions = vec![None; column.len()];
        let mut open = vec![false; column.len()];
        let sequences = self.sequences(&level)?;
        for &range in &sequences.ranges {
            let order: Vec<usize> = sequences.elements(range).filter(|&i| taking_part[i]).collect();
            for (k, &i) in order.iter().enumerate() {
                let from = k as i64 - by;
                match usize::try_from(from).ok().filter(|&from| from < order.len()) {
                    Some(from) => positions[i] = Some(order[from]),
                    None => open[i] = true,
                }
            }
        }
        let shifted = column.gather(Some(level.clone()), &positions);
        let Some(initial) = initial else {
            return Ok(shifted);
        };
        let initial = self.value(initial)?;
        let initial = self.at(&initial, &level)?;
        let open = Column::booleans(Some(level.clone()), open);
        let length = shifted.len();
        Ok(super::elementwise::when(Some(level), length, &open, &initial, &shifted))
    }

    /// Running value; positions left out show the running value that passes them.
    pub(super) fn scan(
        &mut self,
        x: &Expr,
        running: Running,
        direction: (bool, bool),
        restart: Option<&Expr>,
        members: &Members,
    ) -> Result<Column> {
        let (backward, exclusive) = direction;
        let column = self.value(x)?;
        let level = Self::sequence_level(&column);
        let taking_part = self.members(members, &level, false)?;
        let restart = match restart {
            Some(restart) => {
                let restart = self.value(restart)?;
                Some(self.at(&restart, &level)?)
            }
            None => None,
        };
        let restarts =
            |i: usize| restart.as_ref().is_some_and(|column| column.is_valid(i) && column.as_booleans()[i]);
        let values = numbers(&column);
        let mut results = vec![0.0; column.len()];
        let mut valid = vec![true; column.len()];
        let sequences = self.sequences(&level)?;
        for &range in &sequences.ranges {
            let mut state = State::new(running);
            let mut visit = |i: usize| {
                if restarts(i) {
                    state = State::new(running);
                }
                let show = |state: &State, results: &mut [f64], valid: &mut [bool]| match state.value() {
                    Some(value) => results[i] = value,
                    None => valid[i] = false,
                };
                if exclusive {
                    show(&state, &mut results, &mut valid);
                }
                if taking_part[i] && column.is_valid(i) {
                    state.add(values.get(i).copied().unwrap_or(0.0));
                }
                if !exclusive {
                    show(&state, &mut results, &mut valid);
                }
            };
            match backward {
                true => sequences.elements(range).rev().for_each(&mut visit),
                false => sequences.elements(range).for_each(&mut visit),
            }
        }
        Ok(Column::numbers(Some(level), results).with_valid(valid))
    }

    /// `y_t = x_t + c_t * y_next` over members with a value; the others pass `y` on and get null.
    pub(super) fn recur(
        &mut self,
        x: &Expr,
        coefficient: &Expr,
        forward: bool,
        members: &Members,
    ) -> Result<Column> {
        let column = self.value(x)?;
        let level = Self::sequence_level(&column);
        let coefficient = self.value(coefficient)?;
        let coefficient = self.at(&coefficient, &level)?;
        let constant = coefficient.level.is_none();
        let taking_part = self.members(members, &level, false)?;
        let (values, factors) = (numbers(&column), numbers(&coefficient));
        let mut results = vec![0.0; column.len()];
        let mut valid = vec![false; column.len()];
        let sequences = self.sequences(&level)?;
        for &range in &sequences.ranges {
            let mut next = 0.0;
            let mut visit = |i: usize| {
                let c = if constant { 0 } else { i };
                if taking_part[i] && column.is_valid(i) && coefficient.is_valid(c) {
                    next = values[i] + factors[c] * next;
                    results[i] = next;
                    valid[i] = true;
                }
            };
            match forward {
                true => sequences.elements(range).for_each(&mut visit),
                false => sequences.elements(range).rev().for_each(&mut visit),
            }
        }
        Ok(Column::numbers(Some(level), results).with_valid(valid))
    }
}

struct State {
    running: Running,
    count: f64,
    total: f64,
}

impl State {
    fn new(running: Running) -> Self {
        State { running, count: 0.0, total: 0.0 }
    }

    fn add(&mut self, x: f64) {
        self.total = match self.running {
            Running::Min if self.count > 0.0 => least(self.total, x),
            Running::Max if self.count > 0.0 => greatest(self.total, x),
            Running::Min | Running::Max => x,
            Running::Sum | Running::Mean | Running::Count => self.total + x,
        };
        self.count += 1.0;
    }

    fn value(&self) -> Option<f64> {
        match self.running {
            Running::Sum => Some(self.total),
            Running::Count => Some(self.count),
            _ if self.count == 0.0 => None,
            Running::Mean => Some(self.total / self.count),
            Running::Min | Running::Max => Some(self.total),
        }
    }
}
