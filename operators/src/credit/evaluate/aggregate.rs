//! Statistics over members with the same key, inside units and over batches.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::Evaluator;
use super::elementwise::{greatest as greater, least as lesser, numbers};
use super::keys::encode;
use crate::credit::column::Column;
use crate::credit::expression::{Expr, Node, Position, Statistic};
use crate::credit::level::{Level, ROLLOUT};
use crate::credit::statistics::{Partial, quantile, upper_part};
use crate::{Error, Result};

/// The values that a statistic counts: at their level, how often, and with which id.
struct Counted {
    x: Rc<Column>,
    level: Level,
    /// How many members each value stands for, times its weight; 0 where it takes no part.
    weights: Vec<f64>,
}

/// Sums of one key: weight, first value, and sums of deviations.
#[derive(Clone, Default)]
struct Moments {
    first: Option<f64>,
    weight: f64,
    total: f64,
    deviation: f64,
    mean: f64,
    squares: f64,
    least: Option<f64>,
    greatest: Option<f64>,
}

impl Evaluator<'_> {
    /// Values, level and weights of the members of a statistic. A spread to a finer level is not
    /// materialised: each coarse value counts as often as it has finer members.
    fn counted(&mut self, expr: &Expr) -> Result<Counted> {
        let Node::Aggregate { x, statistic, members, weights, once_per, others, by } = expr.node() else {
            return Err(Error::expression(expr.to_string(), "is not a statistic", ""));
        };
        if let Node::Spread { x: inner, level: fine, position: Position::All, .. } = x.node()
            && weights.is_none()
            && once_per.is_none()
            && !others
            && !matches!(statistic, Statistic::MedianLower | Statistic::Median | Statistic::Quantile(_))
        {
            let inner = self.value(inner)?;
            let (key_level, _) = self.key_columns(by)?;
            if let Some(coarse) = inner.level.clone()
                && self.checked.schema.levels.within(&coarse, &key_level)
            {
                let taking_part = self.members(members, fine, true)?;
                let ranges = self.unit.ranges(&coarse, fine)?;
                let weights = ranges.into_iter().enumerate().map(|(i, (first, past))| {
                    let count = taking_part[first..past].iter().filter(|&&member| member).count();
                    if inner.is_valid(i) { count as f64 } else { 0.0 }
                });
                let weights = weights.collect();
                return Ok(Counted { x: inner, level: coarse, weights });
            }
        }
        let x = self.value(x)?;
        let level = x.level.clone().unwrap_or(ROLLOUT);
        let taking_part = self.members(members, &level, true)?;
        let mut counts: Vec<f64> = taking_part
            .iter()
            .enumerate()
            .map(|(i, &member)| f64::from(u8::from(member && x.is_valid(i))))
            .collect();
        if let Some(weights) = weights {
            let weights = self.value(weights)?;
            let weights = self.at(&weights, &level)?;
            let values = numbers(&weights);
            // Who takes no part has no weight either, however large or undefined.
            for (i, count) in counts.iter_mut().enumerate().filter(|(_, count)| **count != 0.0) {
                let at = if weights.level.is_none() { 0 } else { i };
                *count *= if weights.is_valid(at) { values[at] } else { 0.0 };
            }
        }
        Ok(Counted { x, level, weights: counts })
    }

    /// A statistic inside rollouts or groups.
    pub(super) fn aggregate(&mut self, expr: &Expr) -> Result<Column> {
        let Node::Aggregate { statistic, by, once_per, others, .. } = expr.node() else {
            return Err(Error::expression(expr.to_string(), "is not a statistic", ""));
        };
        let mut counted = self.counted(expr)?;
        let keys = self.key_ids(by)?;
        let ids = self.ids_at(&keys, &counted.level)?;
        // The member that counts for each value: itself, or the first with the same `once_per` key.
        let mut own: Vec<usize> = (0..ids.len()).collect();
        if let Some(once_per) = once_per {
            let column = self.value(once_per)?;
            let column = self.at(&column, &counted.level)?;
            let once: Vec<Option<Vec<u8>>> = ids
                .iter()
                .enumerate()
                .map(|(i, id)| {
                    let mut encoded = (*id)?.to_le_bytes().to_vec();
                    encode(&column, i, &mut encoded).then_some(encoded)
                })
                .collect();
            let mut first: HashMap<&[u8], usize> = HashMap::new();
            for (i, (key, weight)) in once.iter().zip(&mut counted.weights).enumerate() {
                if *weight != 0.0
                    && key.as_ref().is_none_or(|key| *first.entry(key.as_slice()).or_insert(i) != i)
                {
                    *weight = 0.0;
                }
            }
            for (own, key) in own.iter_mut().zip(&once) {
                if let Some(&counting) = key.as_ref().and_then(|key| first.get(key.as_slice())) {
                    *own = counting;
                }
            }
        }
        if *others {
            return Ok(of_others(*statistic, &counted, &ids, &own, keys.count));
        }
        let results = statistics(*statistic, &counted, &ids, keys.count);
        let values = keys.ids.iter().map(|id| id.and_then(|id| results[id as usize]));
        let (values, valid): (Vec<f64>, Vec<bool>) =
            values.map(|value| (value.unwrap_or(0.0), value.is_some())).unzip();
        Ok(Column::numbers(Some(keys.level), values).with_valid(valid))
    }

    /// Adds the unit's members of a batch statistic to a partial.
    pub(super) fn observe_batch(
        &mut self,
        expr: &Expr,
        printed: String,
        partial: &mut Partial,
    ) -> Result<()> {
        let Node::Aggregate { statistic, by, .. } = expr.node() else {
            return Ok(());
        };
        let counted = self.counted(expr)?;
        let (key_level, columns) = self.key_columns(by)?;
        let ranges = self.unit.ranges(&key_level, &counted.level)?;
        let rows = self.row_of(&key_level)?;
        let values = numbers(&counted.x);
        let mut table = partial.table(printed);
        for (at, (first, past)) in ranges.into_iter().enumerate() {
            let mut encoded = Vec::new();
            if !columns.iter().all(|column| encode(column, at, &mut encoded)) {
                continue;
            }
            let mut members = table.of((self.unit.iteration(rows[at]), encoded));
            let mut ones = 0u64;
            for (i, &weight) in counted.weights.iter().enumerate().take(past).skip(first) {
                if weight == 0.0 {
                    continue;
                }
                if *statistic == Statistic::Distinct {
                    let mut value = Vec::new();
                    encode(&counted.x, i, &mut value);
                    members.add_distinct(value);
                } else {
                    let x = values.get(i).copied().unwrap_or(0.0);
                    members.add(*statistic, x, weight);
                    if weight == 1.0 {
                        ones += 1;
                    } else {
                        members.weigh(weight);
                    }
                }
            }
            members.weigh(ones as f64);
        }
        Ok(())
    }

    /// Finished batch statistics at the keys' level.
    pub(super) fn look_up_batch(&mut self, expr: &Expr) -> Result<Column> {
        let Node::Aggregate { by, statistic, .. } = expr.node() else {
            return Err(Error::expression(expr.to_string(), "is not a statistic", ""));
        };
        let (level, columns) = self.key_columns(by)?;
        let table = self.statistics.of(&expr.to_string()).ok_or_else(|| not_gathered(expr))?;
        let neutral =
            matches!(statistic, Statistic::Count | Statistic::Sum | Statistic::Distinct).then_some(0.0);
        let rows = self.row_of(&level)?;
        let values = rows.iter().enumerate().map(|(at, &row)| {
            let mut encoded = Vec::new();
            if !columns.iter().all(|column| encode(column, at, &mut encoded)) {
                return None;
            }
            table.at((self.unit.iteration(row), encoded)).unwrap_or(neutral)
        });
        let (values, valid): (Vec<f64>, Vec<bool>) =
            values.map(|value| (value.unwrap_or(0.0), value.is_some())).unzip();
        Ok(Column::numbers(Some(level), values).with_valid(valid))
    }

    /// Row of each element of a level.
    pub(super) fn row_of(&self, level: &Level) -> Result<Vec<usize>> {
        let mut rows = vec![0; self.unit.extent(level)?.len()];
        for (row, (first, past)) in self.unit.ranges(&ROLLOUT, level)?.into_iter().enumerate() {
            rows[first..past].fill(row);
        }
        Ok(rows)
    }
}

/// A batch statistic that no pass has seen: a fault of the caller, never a neutral value.
pub(super) fn not_gathered(expr: &Expr) -> Error {
    Error::expression(
        expr.to_string(),
        "was not gathered over the batch",
        "observe every unit once per pass before evaluating",
    )
}

fn statistics(
    statistic: Statistic,
    counted: &Counted,
    ids: &[Option<u32>],
    count: usize,
) -> Vec<Option<f64>> {
    match statistic {
        Statistic::MedianLower | Statistic::Median | Statistic::Quantile(_) => {
            let values = numbers(&counted.x);
            let mut members: Vec<Vec<f64>> = vec![Vec::new(); count];
            each_member(counted, ids, |i, id, _| members[id].push(values[i]));
            for values in &mut members {
                values.sort_by(f64::total_cmp);
            }
            members.iter().map(|values| quantile(values, statistic)).collect()
        }
        Statistic::UpperPart => {
            let values = numbers(&counted.x);
            let mut members: Vec<(Vec<f64>, f64)> = vec![(Vec::new(), 0.0); count];
            each_member(counted, ids, |i, id, weight| {
                members[id].0.push(values[i]);
                members[id].1 += weight;
            });
            let parts = members.into_iter().map(|(mut values, size)| {
                values.sort_by(f64::total_cmp);
                Some(upper_part(&values, size))
            });
            parts.collect()
        }
        Statistic::Distinct => {
            let mut seen: Vec<HashSet<Vec<u8>>> = vec![HashSet::new(); count];
            each_member(counted, ids, |i, id, _| {
                let mut encoded = Vec::new();
                encode(&counted.x, i, &mut encoded);
                seen[id].insert(encoded);
            });
            seen.iter().map(|values| Some(values.len() as f64)).collect()
        }
        Statistic::Count => {
            let mut totals = vec![0.0; count];
            each_member(counted, ids, |_, id, weight| totals[id] += weight);
            totals.into_iter().map(Some).collect()
        }
        _ => moments(counted, ids, count).iter().map(|moments| moments.finish(statistic)).collect(),
    }
}

fn each_member(counted: &Counted, ids: &[Option<u32>], mut visit: impl FnMut(usize, usize, f64)) {
    for (i, (&weight, id)) in counted.weights.iter().zip(ids).enumerate() {
        if weight != 0.0
            && let Some(id) = id
        {
            visit(i, *id as usize, weight);
        }
    }
}

/// Two passes in canonical order; deviations are taken from the first member, so that equal values
/// have exactly that mean and variance 0.
fn moments(counted: &Counted, ids: &[Option<u32>], count: usize) -> Vec<Moments> {
    let values = numbers(&counted.x);
    let mut moments = vec![Moments::default(); count];
    each_member(counted, ids, |i, id, weight| {
        let entry = &mut moments[id];
        let first = *entry.first.get_or_insert(values[i]);
        entry.weight += weight;
        entry.total += weight * values[i];
        entry.deviation += weight * (values[i] - first);
        entry.least = Some(entry.least.map_or(values[i], |least| lesser(least, values[i])));
        entry.greatest = Some(entry.greatest.map_or(values[i], |greatest| greater(greatest, values[i])));
    });
    for entry in &mut moments {
        entry.mean = entry.first.unwrap_or(0.0) + entry.deviation / entry.weight;
    }
    each_member(counted, ids, |i, id, weight| {
        let deviation = values[i] - moments[id].mean;
        moments[id].squares += weight * deviation * deviation;
    });
    moments
}

impl Moments {
    fn finish(&self, statistic: Statistic) -> Option<f64> {
        match statistic {
            Statistic::Sum => Some(self.total),
            Statistic::Mean => self.first.filter(|_| self.weight != 0.0).map(|_| self.mean),
            Statistic::Min => self.least,
            Statistic::Max => self.greatest,
            Statistic::Variance { ddof } => {
                let degrees = self.weight - f64::from(ddof);
                (degrees > 0.0).then(|| self.squares / degrees)
            }
            _ => Some(self.weight),
        }
    }
}

/// Count, mean and squared deviations that merge without cancellation (Chan et al.).
#[derive(Clone, Copy, Default)]
struct Running {
    weight: f64,
    mean: f64,
    squares: f64,
}

impl Running {
    fn merge(self, other: Running) -> Running {
        if self.weight == 0.0 {
            return other;
        }
        if other.weight == 0.0 {
            return self;
        }
        let weight = self.weight + other.weight;
        let delta = other.mean - self.mean;
        Running {
            weight,
            mean: self.mean + delta * other.weight / weight,
            squares: self.squares + other.squares + delta * delta * self.weight * other.weight / weight,
        }
    }
}

/// The statistic of the other members for every value. Members before and after are merged, so
/// that nothing is subtracted: equal others have exactly variance 0.
fn of_others(
    statistic: Statistic,
    counted: &Counted,
    ids: &[Option<u32>],
    own: &[usize],
    count: usize,
) -> Column {
    let values = numbers(&counted.x);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); count];
    each_member(counted, ids, |i, id, _| members[id].push(i));
    // Text has no numbers, but can be counted.
    let one = |i: usize| Running {
        weight: counted.weights[i],
        mean: values.get(i).copied().unwrap_or(0.0),
        squares: 0.0,
    };
    let mut others: Vec<Option<Running>> = vec![None; ids.len()];
    let mut whole = vec![Running::default(); count];
    for (id, members) in members.iter().enumerate() {
        let mut after = vec![Running::default(); members.len() + 1];
        for (k, &i) in members.iter().enumerate().rev() {
            after[k] = one(i).merge(after[k + 1]);
        }
        let mut before = Running::default();
        for (k, &i) in members.iter().enumerate() {
            others[i] = Some(before.merge(after[k + 1]));
            before = before.merge(one(i));
        }
        whole[id] = before;
    }
    let results = ids.iter().enumerate().map(|(i, id)| {
        let id = (*id)? as usize;
        let of = others[own[i]].unwrap_or(whole[id]);
        match statistic {
            Statistic::Count => Some(of.weight),
            Statistic::Sum => Some(of.mean * of.weight),
            Statistic::Mean => (of.weight > 0.0).then_some(of.mean),
            Statistic::Variance { ddof } => {
                let degrees = of.weight - f64::from(ddof);
                (degrees > 0.0).then(|| of.squares / degrees)
            }
            Statistic::Min | Statistic::Max => {
                let better = if statistic == Statistic::Min { lesser } else { greater };
                members[id].iter().filter(|&&k| k != own[i]).map(|&k| values[k]).reduce(better)
            }
            _ => None,
        }
    });
    let (values, valid): (Vec<f64>, Vec<bool>) =
        results.map(|value| (value.unwrap_or(0.0), value.is_some())).unzip();
    Column::numbers(Some(counted.level.clone()), values).with_valid(valid)
}
