//! Batch statistics: exact partial sums per iteration and key, merged over slices and workers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::exact::ExactSum;
use super::expression::Statistic;
use crate::{Error, Result};

/// Iteration and encoded key values.
pub(super) type Key = (i64, Vec<u8>);

/// What one worker has seen of the batch statistics of one pass.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Partial {
    /// By the printed statistic, then by iteration and key.
    #[serde(with = "entries")]
    tables: BTreeMap<String, BTreeMap<Key, Accumulator>>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Accumulator {
    weight: ExactSum,
    sum: ExactSum,
    squares: ExactSum,
    #[serde(with = "bits")]
    least: Option<f64>,
    #[serde(with = "bits")]
    greatest: Option<f64>,
    #[serde(with = "bits")]
    values: Vec<f64>,
    distinct: BTreeSet<Vec<u8>>,
}

impl Partial {
    /// The accumulators of one statistic.
    pub(super) fn table(&mut self, printed: String) -> TableEntry<'_> {
        TableEntry(self.tables.entry(printed).or_default())
    }

    /// Adds what another worker has seen. Exact, so the order does not matter.
    pub fn merge(&mut self, other: Partial) {
        for (name, table) in other.tables {
            let mine = self.tables.entry(name).or_default();
            for (key, theirs) in table {
                let entry = mine.entry(key).or_default();
                entry.weight.merge(&theirs.weight);
                entry.sum.merge(&theirs.sum);
                entry.squares.merge(&theirs.squares);
                entry.least = pick(entry.least, theirs.least, least);
                entry.greatest = pick(entry.greatest, theirs.greatest, greatest);
                entry.values.extend(theirs.values);
                entry.distinct.extend(theirs.distinct);
            }
        }
    }

    /// The partial as bytes, to travel to other workers.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| Error::external("encode batch statistics", error, ""))
    }

    /// A partial from bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|error| Error::external("decode batch statistics", error, ""))
    }
}

pub(super) struct TableEntry<'a>(&'a mut BTreeMap<Key, Accumulator>);

impl TableEntry<'_> {
    /// The accumulator of a key.
    pub(super) fn of(&mut self, key: Key) -> Members<'_> {
        Members(self.0.entry(key).or_default())
    }
}

/// The members with one key, as they are added.
pub(super) struct Members<'a>(&'a mut Accumulator);

impl Members<'_> {
    /// Adds one value with its weight; only what the statistic needs is kept.
    pub(super) fn add(&mut self, statistic: Statistic, x: f64, weight: f64) {
        let entry = &mut *self.0;
        entry.weight.add(weight);
        match statistic {
            Statistic::Sum | Statistic::Mean => entry.sum.add_product(x, weight),
            Statistic::Variance { .. } => {
                entry.sum.add_product(x, weight);
                let square = x * x;
                entry.squares.add_product(square, weight);
                entry.squares.add_product(x.mul_add(x, -square), weight);
            }
            Statistic::Min => entry.least = pick(entry.least, Some(x), least),
            Statistic::Max => entry.greatest = pick(entry.greatest, Some(x), greatest),
            Statistic::MedianLower | Statistic::Median | Statistic::Quantile(_) => entry.values.push(x),
            Statistic::Count | Statistic::Distinct => {}
        }
    }

    /// Adds a value to be ranked.
    pub(super) fn add_ranked(&mut self, x: f64) {
        self.0.values.push(x);
    }

    /// Adds one encoded value to a count of distinct values.
    pub(super) fn add_distinct(&mut self, encoded: Vec<u8>) {
        self.0.distinct.insert(encoded);
    }
}

fn least(a: f64, b: f64) -> f64 {
    if a.total_cmp(&b).is_le() { a } else { b }
}

fn greatest(a: f64, b: f64) -> f64 {
    if a.total_cmp(&b).is_ge() { a } else { b }
}

fn pick(a: Option<f64>, b: Option<f64>, better: fn(f64, f64) -> f64) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(better(a, b)),
        (a, b) => a.or(b),
    }
}

/// Finished batch statistics, looked up during evaluation.
#[derive(Debug, Clone, Default)]
pub struct BatchStatistics {
    tables: HashMap<String, HashMap<Key, Option<f64>>>,
    sorted: HashMap<String, HashMap<Key, Vec<f64>>>,
}

impl BatchStatistics {
    /// Adds the merged partials of one pass; `statistic_of` names the statistic of each table, or
    /// says that its values are ranked.
    pub(super) fn finish(
        &mut self,
        partial: Partial,
        statistic_of: impl Fn(&str) -> Option<Option<Statistic>>,
    ) {
        for (name, table) in partial.tables {
            let Some(statistic) = statistic_of(&name) else {
                continue;
            };
            let Some(statistic) = statistic else {
                let sorted = table.into_iter().map(|(key, mut entry)| {
                    entry.values.sort_by(f64::total_cmp);
                    (key, entry.values)
                });
                self.sorted.insert(name, sorted.collect());
                continue;
            };
            let finished = table.into_iter().map(|(key, entry)| (key, entry.finish(statistic)));
            self.tables.insert(name, finished.collect());
        }
    }

    /// True once the statistic was gathered.
    pub(super) fn has(&self, printed: &str) -> bool {
        self.tables.contains_key(printed) || self.sorted.contains_key(printed)
    }

    pub(super) fn sorted(&self, printed: &str) -> Option<&HashMap<Key, Vec<f64>>> {
        self.sorted.get(printed)
    }

    pub(super) fn table(&self, printed: &str) -> Option<&HashMap<Key, Option<f64>>> {
        self.tables.get(printed)
    }
}

impl Accumulator {
    fn finish(mut self, statistic: Statistic) -> Option<f64> {
        let count = self.weight.value();
        match statistic {
            Statistic::Count => Some(count),
            Statistic::Distinct => Some(self.distinct.len() as f64),
            Statistic::Sum => Some(self.sum.value()),
            Statistic::Mean => (count != 0.0).then(|| exact_mean(&self.sum, &self.weight)),
            Statistic::Min => self.least,
            Statistic::Max => self.greatest,
            Statistic::Variance { ddof } => {
                let degrees = count - f64::from(ddof);
                if degrees <= 0.0 {
                    return None;
                }
                let mean = exact_mean(&self.sum, &self.weight);
                let mut squares = self.squares.clone();
                for part in self.sum.expansion() {
                    squares.add_product(-2.0 * mean, part);
                }
                let square = mean * mean;
                let rest = mean.mul_add(mean, -square);
                for part in self.weight.expansion() {
                    squares.add_product(square, part);
                    squares.add_product(rest, part);
                }
                Some(squares.value().max(0.0) / degrees)
            }
            Statistic::MedianLower | Statistic::Median | Statistic::Quantile(_) => {
                self.values.sort_by(f64::total_cmp);
                quantile(&self.values, statistic)
            }
        }
    }
}

/// `sum / weight`, with the rounding error of the quotient folded back, so that the mean of equal
/// values is that value.
fn exact_mean(sum: &ExactSum, weight: &ExactSum) -> f64 {
    let mean = sum.value() / weight.value();
    let mut rest = sum.clone();
    for part in weight.expansion() {
        rest.add_product(-mean, part);
    }
    mean + rest.value() / weight.value()
}

/// Median or quantile of sorted values.
pub(super) fn quantile(sorted: &[f64], statistic: Statistic) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = match statistic {
        Statistic::MedianLower => return Some(sorted[last / 2]),
        Statistic::Quantile(q) => q.clamp(0.0, 1.0) * last as f64,
        _ => 0.5 * last as f64,
    };
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    Some(sorted[low] + (sorted[high] - sorted[low]) * (at - low as f64))
}

mod bits {
    //! Numbers by their bits: JSON has no infinities.

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<'a, T, S: Serializer>(numbers: &'a T, serializer: S) -> Result<S::Ok, S::Error>
    where
        &'a T: IntoIterator<Item = &'a f64>,
    {
        numbers.into_iter().map(|x| x.to_bits()).collect::<Vec<u64>>().serialize(serializer)
    }

    pub fn deserialize<'de, T: FromNumbers, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        let bits: Vec<u64> = Vec::deserialize(deserializer)?;
        Ok(T::from_numbers(bits.into_iter().map(f64::from_bits)))
    }

    pub trait FromNumbers {
        fn from_numbers(numbers: impl Iterator<Item = f64>) -> Self;
    }

    impl FromNumbers for Option<f64> {
        fn from_numbers(mut numbers: impl Iterator<Item = f64>) -> Self {
            numbers.next()
        }
    }

    impl FromNumbers for Vec<f64> {
        fn from_numbers(numbers: impl Iterator<Item = f64>) -> Self {
            numbers.collect()
        }
    }
}

mod entries {
    //! Maps with keys that are not text, as lists of pairs.

    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Accumulator, Key};

    type Tables = BTreeMap<String, BTreeMap<Key, Accumulator>>;

    pub fn serialize<S: Serializer>(tables: &Tables, serializer: S) -> Result<S::Ok, S::Error> {
        let flat: Vec<(&String, Vec<(&Key, &Accumulator)>)> =
            tables.iter().map(|(name, table)| (name, table.iter().collect())).collect();
        flat.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tables, D::Error> {
        let flat: Vec<(String, Vec<(Key, Accumulator)>)> = Vec::deserialize(deserializer)?;
        Ok(flat.into_iter().map(|(name, table)| (name, table.into_iter().collect())).collect())
    }
}
