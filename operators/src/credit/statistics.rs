//! Batch statistics: exact partial sums per iteration and key, merged over slices and workers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::check::Checked;
use super::exact::ExactSum;
use super::expression::{Expr, Node, Scope, Statistic, Window};
use super::program::Credit;
use super::ranked::{Ranked, Sorted};
use crate::{Error, Result};

/// Iteration and encoded key values.
pub(super) type Key = (i64, Vec<u8>);

/// What one worker has seen of the batch statistics of one pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Partial {
    /// By the printed statistic, then by iteration and key.
    #[serde(with = "entries")]
    tables: BTreeMap<String, BTreeMap<Key, Accumulator>>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    ranked: Ranked,
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
                mine.entry(key).or_default().merge(theirs);
            }
        }
    }

    /// Puts the statistics of `other` in the place of its own.
    pub fn replace(&mut self, other: Partial) {
        self.tables.extend(other.tables);
    }

    /// The partial as bytes, to travel to other workers.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        postcard::to_stdvec(self).map_err(|error| Error::external("encode batch statistics", error, ""))
    }

    /// A partial from bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        postcard::from_bytes(bytes).map_err(|error| Error::external("decode batch statistics", error, ""))
    }

    /// What statistics over the history need of this pass in later iterations.
    pub fn of_history(&self, checked: &Checked) -> Partial {
        let gathered = Gathered::of(&checked.credit);
        let lasting = |name: &str| matches!(gathered.get(name), Some(Finish::History(..)));
        let tables = self.tables.iter().filter(|(name, _)| lasting(name));
        Partial { tables: tables.map(|(name, table)| (name.clone(), table.clone())).collect() }
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
    /// Adds the weight of values that are added.
    pub(super) fn weigh(&mut self, weight: f64) {
        self.0.weight.add(weight);
    }

    /// Adds one value, whose weight is added beside; only what the statistic needs is kept.
    pub(super) fn add(&mut self, statistic: Statistic, x: f64, weight: f64) {
        let entry = &mut *self.0;
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
            Statistic::MedianLower | Statistic::Median | Statistic::Quantile(_) | Statistic::UpperPart => {
                entry.values.push(x);
            }
            Statistic::Count | Statistic::Distinct => {}
        }
    }

    /// The values to be ranked.
    pub(super) fn ranked(&mut self) -> &mut Ranked {
        &mut self.0.ranked
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

/// What a program gathers, by its printed form.
pub(super) struct Gathered;

/// How the partials of one statistic are finished.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Finish {
    /// A statistic of each iteration.
    Batch(Statistic),
    /// A statistic over iterations.
    History(Statistic, Window),
    /// Values to rank in.
    Rank,
}

impl Gathered {
    /// Every gathered statistic and rank of a program.
    pub(super) fn of(credit: &Credit) -> HashMap<String, Finish> {
        fn walk(expr: &Expr, found: &mut HashMap<String, Finish>) {
            match expr.node() {
                Node::Aggregate { statistic, by, .. } => match by.scope {
                    Scope::Batch => drop(found.insert(expr.to_string(), Finish::Batch(*statistic))),
                    Scope::History(window) => {
                        found.insert(expr.to_string(), Finish::History(*statistic, window));
                    }
                    Scope::Rollout | Scope::Group => {}
                },
                Node::Rank { by, .. } if by.scope.is_gathered() => {
                    found.insert(expr.to_string(), Finish::Rank);
                }
                _ => {}
            }
            expr.node().children().iter().for_each(|child| walk(child, found));
        }
        let mut found = HashMap::new();
        credit.expressions().for_each(|(_, expr)| walk(expr, &mut found));
        found
    }
}

/// Finished batch statistics, looked up during evaluation.
#[derive(Debug, Clone, Default)]
pub struct BatchStatistics {
    tables: HashMap<String, HashMap<Key, Option<f64>>>,
    histories: HashMap<String, HashMap<Vec<u8>, Steps>>,
    sorted: HashMap<String, HashMap<Key, Sorted>>,
}

/// A statistic over the history of one key: its value from each iteration on at which it changes.
type Steps = Vec<(i64, Option<f64>)>;

impl BatchStatistics {
    /// Adds the merged partials of one pass; `finish_of` says what each table is for.
    pub(super) fn finish(&mut self, partial: Partial, finish_of: impl Fn(&str) -> Option<Finish>) {
        for (name, table) in partial.tables {
            match finish_of(&name) {
                None => {}
                Some(Finish::Rank) => {
                    let sorted = table.into_iter().map(|(key, entry)| (key, entry.ranked.sorted()));
                    self.sorted.insert(name, sorted.collect());
                }
                Some(Finish::Batch(statistic)) => {
                    let finished = table.into_iter().map(|(key, entry)| (key, entry.finish(statistic)));
                    self.tables.insert(name, finished.collect());
                }
                Some(Finish::History(statistic, window)) => {
                    let mut by_key: HashMap<Vec<u8>, BTreeMap<i64, Accumulator>> = HashMap::new();
                    for ((iteration, key), entry) in table {
                        by_key.entry(key).or_default().insert(iteration, entry);
                    }
                    let steps = by_key.into_iter().map(|(key, of)| (key, steps(&of, statistic, window)));
                    self.histories.insert(name, steps.collect());
                }
            }
        }
    }

    /// True once the statistic was gathered.
    pub(super) fn has(&self, printed: &str) -> bool {
        self.tables.contains_key(printed)
            || self.histories.contains_key(printed)
            || self.sorted.contains_key(printed)
    }

    pub(super) fn sorted(&self, printed: &str) -> Option<&HashMap<Key, Sorted>> {
        self.sorted.get(printed)
    }

    /// The value of a gathered statistic, `None` where no pass has seen it: for a key, `None` where it has no
    /// member.
    pub(super) fn of(&self, printed: &str) -> Option<Lookup<'_>> {
        let table = self.tables.get(printed).map(Lookup::Batch);
        table.or_else(|| self.histories.get(printed).map(Lookup::History))
    }
}

/// A finished statistic, by key.
pub(super) enum Lookup<'a> {
    Batch(&'a HashMap<Key, Option<f64>>),
    History(&'a HashMap<Vec<u8>, Steps>),
}

impl Lookup<'_> {
    /// The value at an iteration and key; the outer `None` where the key has no member.
    pub(super) fn at(&self, key: Key) -> Option<Option<f64>> {
        match self {
            Lookup::Batch(table) => table.get(&key).copied(),
            Lookup::History(table) => {
                let steps = table.get(&key.1)?;
                let after = steps.partition_point(|(from, _)| *from <= key.0);
                after.checked_sub(1).map(|at| steps[at].1)
            }
        }
    }
}

/// The statistic over the history of a key, as steps.
fn steps(of: &BTreeMap<i64, Accumulator>, statistic: Statistic, window: Window) -> Steps {
    let entered = |iteration: i64| if window.own { iteration } else { iteration + 1 };
    let mut changes: BTreeSet<i64> = of.keys().map(|iteration| entered(*iteration)).collect();
    let Some(last) = window.last else {
        // Nothing leaves: the sum so far goes on.
        let mut so_far = Accumulator::default();
        let after_each = of.iter().map(|(iteration, entry)| {
            so_far.merge(entry.clone());
            (entered(*iteration), so_far.clone().finish(statistic))
        });
        return after_each.collect();
    };
    if last == 0 {
        return Steps::new();
    }
    changes.extend(of.keys().map(|iteration| entered(*iteration) + i64::from(last)));
    let at = |now: i64| {
        let newest = if window.own { now } else { now - 1 };
        let mut counted = Accumulator::default();
        for entry in of.range(newest - i64::from(last) + 1..=newest).map(|(_, entry)| entry) {
            counted.merge(entry.clone());
        }
        (now, counted.finish(statistic))
    };
    changes.into_iter().map(at).collect()
}

impl Accumulator {
    fn merge(&mut self, theirs: Accumulator) {
        self.weight.merge(&theirs.weight);
        self.sum.merge(&theirs.sum);
        self.squares.merge(&theirs.squares);
        self.least = pick(self.least, theirs.least, least);
        self.greatest = pick(self.greatest, theirs.greatest, greatest);
        self.values.extend(theirs.values);
        self.distinct.extend(theirs.distinct);
        self.ranked.merge(theirs.ranked);
    }

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
            Statistic::UpperPart => {
                self.values.sort_by(f64::total_cmp);
                Some(upper_part(&self.values, count))
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

/// How many of the largest of sorted values are in the subset of `size` that varies most.
pub(super) fn upper_part(sorted: &[f64], size: f64) -> f64 {
    let size = (size.round().max(0.0) as usize).min(sorted.len());
    let Some(middle) = sorted.get(sorted.len() / 2) else {
        return 0.0;
    };
    // Sums of the smallest values, taken from the middle one so that squares do not cancel.
    let mut sums = vec![(0.0, 0.0)];
    let mut sum = (0.0, 0.0);
    for x in sorted {
        let x = x - middle;
        sum = (sum.0 + x, sum.1 + x * x);
        sums.push(sum);
    }
    let spread = |upper: usize| {
        let (low, high, all) = (sums[size - upper], sums[sorted.len() - upper], sums[sorted.len()]);
        let (sum, squares) = (low.0 + (all.0 - high.0), low.1 + (all.1 - high.1));
        squares - sum * sum / size.max(1) as f64
    };
    let (mut best, mut most) = (0, spread(0));
    for upper in 1..=size {
        let spread = spread(upper);
        // Less is rounding.
        if spread > most + 1e-12 * sum.1 {
            (best, most) = (upper, spread);
        }
    }
    best as f64
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
