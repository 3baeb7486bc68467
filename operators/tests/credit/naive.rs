//! The primitives one value at a time, written from their definitions.

use meed_operators::credit::{Reduction, Running, Statistic};

use crate::data::Data;
use crate::shape::{Cells, Keys, Truth, elements, owners};

/// The members that have a value.
fn with_value(cells: &[Option<f64>], members: &[bool]) -> Vec<usize> {
    (0..cells.len()).filter(|&i| members[i] && cells[i].is_some()).collect()
}

pub fn shift(x: &Cells, by: i64, initial: Option<&Cells>, members: &Truth) -> Cells {
    x.iter()
        .enumerate()
        .map(|(row, cells)| {
            let order: Vec<usize> = (0..cells.len()).filter(|&i| members[row][i]).collect();
            (0..cells.len())
                .map(|i| {
                    let at = order.iter().position(|&member| member == i)? as i64 - by;
                    match usize::try_from(at).ok().and_then(|at| order.get(at)) {
                        Some(&from) => cells[from],
                        None => initial?[row][i],
                    }
                })
                .collect()
        })
        .collect()
}

pub fn scan(
    x: &Cells,
    running: Running,
    backward: bool,
    exclusive: bool,
    restart: Option<&Cells>,
    members: &Truth,
) -> Cells {
    x.iter()
        .enumerate()
        .map(|(row, cells)| {
            let taking_part = with_value(cells, &members[row]);
            (0..cells.len())
                .map(|i| {
                    // The stretch that the running value at `i` covers: back to the nearest restart.
                    let starts = |at: usize| restart.is_some_and(|restart| restart[row][at] == Some(1.0));
                    let behind: Vec<usize> = if backward {
                        let begin = (i..cells.len()).find(|&at| starts(at)).unwrap_or(cells.len() - 1);
                        (i..=begin).rev().collect()
                    } else {
                        let begin = (0..=i).rev().find(|&at| starts(at)).unwrap_or(0);
                        (begin..=i).collect()
                    };
                    let values: Vec<f64> = behind
                        .into_iter()
                        .filter(|at| taking_part.contains(at) && !(exclusive && *at == i))
                        .map(|at| cells[at].unwrap())
                        .collect();
                    running_value(&values, running)
                })
                .collect()
        })
        .collect()
}

fn running_value(values: &[f64], running: Running) -> Option<f64> {
    match running {
        Running::Sum => Some(values.iter().sum()),
        Running::Count => Some(values.len() as f64),
        Running::Mean => (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64),
        Running::Min => values.iter().copied().reduce(f64::min),
        Running::Max => values.iter().copied().reduce(f64::max),
    }
}

/// `y_t = x_t + c_t * (y of the next member with a value)`.
pub fn recur(x: &Cells, coefficient: &Cells, forward: bool, members: &Truth) -> Cells {
    x.iter()
        .enumerate()
        .map(|(row, cells)| {
            let mut order: Vec<usize> = with_value(cells, &members[row])
                .into_iter()
                .filter(|&i| coefficient[row][i].is_some())
                .collect();
            if !forward {
                order.reverse();
            }
            let mut results = vec![None; cells.len()];
            for (k, &i) in order.iter().enumerate() {
                let before = if k == 0 { 0.0 } else { results[order[k - 1]].unwrap() };
                results[i] = Some(cells[i].unwrap() + coefficient[row][i].unwrap() * before);
            }
            results
        })
        .collect()
}

/// What values (with weights) become where they meet; null without any, but for a count.
pub fn reduced(values: &[(f64, f64)], reduction: Reduction) -> Option<f64> {
    let weight: f64 = values.iter().map(|(_, weight)| weight).sum();
    let total: f64 = values.iter().map(|(x, weight)| x * weight).sum();
    let plain = || values.iter().map(|(x, _)| *x);
    match reduction {
        Reduction::Count => Some(weight),
        _ if values.is_empty() => None,
        Reduction::Sum => Some(total),
        Reduction::Mean => (weight != 0.0).then(|| total / weight),
        Reduction::Min => plain().reduce(f64::min),
        Reduction::Max => plain().reduce(f64::max),
        Reduction::First => plain().next(),
        Reduction::Last => plain().last(),
        Reduction::Any => Some(f64::from(u8::from(plain().any(|x| x != 0.0)))),
        Reduction::All => Some(f64::from(u8::from(plain().all(|x| x != 0.0)))),
    }
}

pub struct Reduce<'a> {
    pub fine: &'a str,
    pub coarse: &'a str,
    pub reduction: Reduction,
    pub weights: Option<&'a Cells>,
    pub members: &'a Truth,
    pub empty: Option<f64>,
}

pub fn reduce(data: &Data, x: &Cells, how: &Reduce) -> Cells {
    data.rows
        .iter()
        .enumerate()
        .map(|(row, rollout)| {
            let owners = owners(rollout, how.fine, how.coarse);
            (0..elements(rollout, how.coarse))
                .map(|target| {
                    let values: Vec<(f64, f64)> = with_value(&x[row], &how.members[row])
                        .into_iter()
                        .filter(|&i| owners[i] == Some(target))
                        .filter_map(|i| {
                            Some((
                                x[row][i].unwrap(),
                                how.weights.map_or(Some(1.0), |weights| weights[row][i])?,
                            ))
                        })
                        .collect();
                    reduced(&values, how.reduction).or(how.empty)
                })
                .collect()
        })
        .collect()
}

/// Coarse values on the first or last member of each element; 0 elsewhere.
pub fn spread_to_edge(
    data: &Data,
    x: &Cells,
    coarse: &str,
    fine: &str,
    last: bool,
    members: &Truth,
) -> Cells {
    data.rows
        .iter()
        .enumerate()
        .map(|(row, rollout)| {
            let owners = owners(rollout, fine, coarse);
            let mut results = vec![Some(0.0); owners.len()];
            for target in 0..elements(rollout, coarse) {
                let mut inside = (0..owners.len()).filter(|&i| owners[i] == Some(target) && members[row][i]);
                let edge = if last { inside.last() } else { inside.next() };
                if let Some(edge) = edge {
                    results[edge] = x[row][target];
                }
            }
            results
        })
        .collect()
}

/// Values to the element of `level` with the given index.
pub fn place(data: &Data, x: &Cells, positions: &Cells, level: &str, reduction: Reduction) -> Cells {
    data.rows
        .iter()
        .enumerate()
        .map(|(row, rollout)| {
            (0..elements(rollout, level))
                .map(|target| {
                    let values: Vec<(f64, f64)> = (0..x[row].len())
                        .filter(|&i| positions[row][i] == Some(target as f64))
                        .filter_map(|i| Some((x[row][i]?, 1.0)))
                        .collect();
                    reduced(&values, reduction)
                })
                .collect()
        })
        .collect()
}

/// Everything that a statistic takes, at the level of its signal.
pub struct Aggregate<'a> {
    pub statistic: Statistic,
    /// Scope and keys as one text; null where a key is.
    pub keys: &'a Keys,
    pub members: &'a Truth,
    pub weights: Option<&'a Cells>,
    pub once_per: Option<&'a Keys>,
}

impl Aggregate<'_> {
    /// Row, position, value and weight of the members with this key, in canonical order.
    fn members_with(&self, x: &Cells, key: &str) -> Vec<(usize, usize, f64, f64)> {
        let mut seen = Vec::new();
        let mut found = Vec::new();
        for row in 0..x.len() {
            for i in with_value(&x[row], &self.members[row]) {
                if self.keys[row][i].as_deref() != Some(key) {
                    continue;
                }
                let Some(weight) =
                    self.weights.map_or(Some(1.0), |weights| weights[row][i]).filter(|&weight| weight != 0.0)
                else {
                    continue;
                };
                if let Some(once) = self.once_per {
                    match &once[row][i] {
                        Some(once) if !seen.contains(once) => seen.push(once.clone()),
                        _ => continue,
                    }
                }
                found.push((row, i, x[row][i].unwrap(), weight));
            }
        }
        found
    }

    /// The statistic of a key.
    pub fn of_key(&self, x: &Cells, key: &str) -> Option<f64> {
        let values: Vec<(f64, f64)> =
            self.members_with(x, key).into_iter().map(|(_, _, x, weight)| (x, weight)).collect();
        statistic(&values, self.statistic)
    }

    /// The statistic of the members other than the one at a position, or its stand-in where only one
    /// member per key counts.
    pub fn of_others(&self, x: &Cells, row: usize, at: usize) -> Option<f64> {
        let key = self.keys[row][at].as_deref()?;
        let values: Vec<(f64, f64)> = self
            .members_with(x, key)
            .into_iter()
            .filter(|&(other, i, _, _)| {
                let itself = (other, i) == (row, at);
                let stand_in = self
                    .once_per
                    .is_some_and(|once| once[row][at].is_some() && once[row][at] == once[other][i]);
                !itself && !stand_in
            })
            .map(|(_, _, x, weight)| (x, weight))
            .collect();
        statistic(&values, self.statistic)
    }
}

/// A statistic of values with weights, by the book.
pub fn statistic(values: &[(f64, f64)], statistic: Statistic) -> Option<f64> {
    let weight: f64 = values.iter().map(|(_, weight)| weight).sum();
    let total: f64 = values.iter().map(|(x, weight)| x * weight).sum();
    let mean = (!values.is_empty() && weight != 0.0).then(|| total / weight);
    let mut sorted: Vec<f64> = values.iter().map(|(x, _)| *x).collect();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap());
    let quantile = |q: f64| {
        let last = sorted.len().checked_sub(1)? as f64;
        let (low, high) = ((q * last).floor(), (q * last).ceil());
        Some(sorted[low as usize] * (1.0 - (q * last - low)) + sorted[high as usize] * (q * last - low))
    };
    match statistic {
        Statistic::Sum => Some(total),
        Statistic::Count => Some(weight),
        Statistic::Mean => mean,
        Statistic::Min => sorted.first().copied(),
        Statistic::Max => sorted.last().copied(),
        Statistic::Variance { ddof } => {
            let degrees = weight - f64::from(ddof);
            (degrees > 0.0).then(|| {
                values.iter().map(|(x, weight)| weight * (x - mean.unwrap()).powi(2)).sum::<f64>() / degrees
            })
        }
        Statistic::UpperPart => {
            let size = (weight.round().max(0.0) as usize).min(sorted.len());
            let spread = |upper: usize| {
                let subset = [&sorted[..size - upper], &sorted[sorted.len() - upper..]].concat();
                let mean = subset.iter().sum::<f64>() / subset.len().max(1) as f64;
                subset.iter().map(|x| (x - mean).powi(2)).sum::<f64>()
            };
            let most = (0..=size).map(spread).fold(0.0, f64::max);
            (0..=size).find(|&upper| spread(upper) >= most - 1e-9 * most).map(|upper| upper as f64)
        }
        Statistic::MedianLower => sorted.get(sorted.len().saturating_sub(1) / 2).copied(),
        Statistic::Median => quantile(0.5),
        Statistic::Quantile(q) => quantile(q),
        Statistic::Distinct => {
            sorted.dedup();
            Some(sorted.len() as f64)
        }
    }
}

/// Rank from 0 among the members with the same key; ties in canonical order.
pub fn rank(x: &Cells, keys: &Keys, members: &Truth, ascending: bool) -> Cells {
    let all: Vec<(usize, usize)> = (0..x.len())
        .flat_map(|row| with_value(&x[row], &members[row]).into_iter().map(move |i| (row, i)))
        .collect();
    x.iter()
        .enumerate()
        .map(|(row, cells)| {
            (0..cells.len())
                .map(|i| {
                    let key = keys[row][i].as_ref()?;
                    let own = cells[i].filter(|_| members[row][i])?;
                    let better = all.iter().filter(|&&(other, k)| {
                        let value = x[other][k].unwrap();
                        let before = if ascending { value < own } else { value > own };
                        keys[other][k].as_ref() == Some(key)
                            && (before || (value == own && (other, k) < (row, i)))
                    });
                    Some(better.count() as f64)
                })
                .collect()
        })
        .collect()
}
