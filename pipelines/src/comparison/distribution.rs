//! How often each value occurs: ranks and shares of the greatest, from counts that fit in memory.

use std::collections::HashMap;

use meed_operators::credit::ExactSum;
use serde::{Deserialize, Serialize};

/// Values that are told apart; 16 bytes each, twice that in the hash map.
pub(super) const DISTINCT: usize = 1 << 17;

/// Counts of values, kept apart by the pattern of the rollouts that they are from.
///
/// While there are at most as many different entries as the limit says, the counts are exact. Above
/// that, values are cut to the most significant bits with which they fit, and cut values are ties. How many
/// bits that are depends on the set of values alone, so that counts do not depend on the order in which
/// values are added and merged: a bit is dropped only when a part of the values is too many with it, and
/// then the whole is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Distribution {
    limit: usize,
    /// Bits that are cut off.
    cut: u32,
    counts: HashMap<(u32, u64), u64>,
}

impl Default for Distribution {
    fn default() -> Self {
        Distribution::with_limit(DISTINCT)
    }
}

impl Distribution {
    pub(super) fn with_limit(limit: usize) -> Self {
        Distribution { limit, cut: 0, counts: HashMap::new() }
    }

    /// Adds a value that occurs so often, in rollouts of a pattern.
    pub(super) fn add(&mut self, pattern: u32, value: f64, count: u64) {
        *self.counts.entry((pattern, key(value) >> self.cut)).or_default() += count;
        self.fit();
    }

    /// Adds the counts of another one, whose patterns have other numbers.
    pub(super) fn merge(&mut self, other: Distribution, pattern: impl Fn(u32) -> u32) {
        self.cut_to(other.cut);
        let more = self.cut - other.cut;
        for ((from, value), count) in other.counts {
            *self.counts.entry((pattern(from), value >> more)).or_default() += count;
        }
        self.fit();
    }

    fn fit(&mut self) {
        while self.counts.len() > self.limit && self.cut < u64::BITS - 1 {
            self.cut_to(self.cut + 1);
        }
    }

    fn cut_to(&mut self, cut: u32) {
        if cut <= self.cut {
            return;
        }
        let more = cut - self.cut;
        let mut counts = HashMap::with_capacity(self.counts.len());
        for ((pattern, value), count) in self.counts.drain() {
            *counts.entry((pattern, value >> more)).or_default() += count;
        }
        (self.counts, self.cut) = (counts, cut);
    }

    /// Significant bits of the values that are told apart; `None` where all are.
    pub(super) fn significant_bits(&self) -> Option<u32> {
        (self.cut > 0).then(|| f64::MANTISSA_DIGITS.saturating_sub(self.cut))
    }

    /// Ranks among the values of some patterns.
    pub(super) fn ranks(&self, is_member: impl Fn(u32) -> bool) -> Ranks {
        let mut counts: HashMap<u64, u64> = HashMap::new();
        for (&(_, value), count) in self.counts.iter().filter(|((pattern, _), _)| is_member(*pattern)) {
            *counts.entry(value).or_default() += count;
        }
        let mut counts: Vec<(u64, u64)> = counts.into_iter().collect();
        counts.sort_unstable();
        let total: u64 = counts.iter().map(|(_, count)| count).sum();
        let (mut below, mut squares) = (0, 0i128);
        let mut ranks = Vec::with_capacity(counts.len());
        for (value, count) in counts {
            // Ties share the mean of their ranks; twice that is whole.
            let rank = (2 * below + count) as i64 - total as i64;
            squares += i128::from(rank) * i128::from(rank) * i128::from(count);
            below += count;
            ranks.push((value, rank));
        }
        Ranks { cut: self.cut, ranks, squares }
    }

    /// The share of the sum of absolute values that the greatest `share` of them make up. The value at
    /// the border counts for the part of it that lies inside. `None` where all are 0.
    pub(super) fn share_of_greatest(&self, share: f64) -> Option<f64> {
        let mut sizes: Vec<(f64, u64)> =
            self.counts.iter().map(|(&(_, key), &count)| (value(key << self.cut).abs(), count)).collect();
        sizes.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let mut left = share * sizes.iter().map(|(_, count)| *count as f64).sum::<f64>();
        let (mut top, mut total) = (ExactSum::default(), ExactSum::default());
        for group in sizes.chunk_by(|a, b| a.0 == b.0) {
            let count = group.iter().map(|(_, count)| count).sum::<u64>() as f64;
            total.add_product(group[0].0, count);
            top.add_product(group[0].0, count.min(left));
            left -= count.min(left);
        }
        let total = total.value();
        (total > 0.0).then(|| top.value() / total)
    }
}

/// Ranks of values: twice the mid-rank, less its mean, so that they are whole and add up to 0.
#[derive(Debug)]
pub(super) struct Ranks {
    cut: u32,
    ranks: Vec<(u64, i64)>,
    /// Sum of the squares of the ranks of all values.
    pub(super) squares: i128,
}

impl Ranks {
    /// The rank of one of the values.
    pub(super) fn of(&self, value: f64) -> i64 {
        let key = key(value) >> self.cut;
        let found = self.ranks.binary_search_by_key(&key, |(value, _)| *value);
        found.map_or(0, |at| self.ranks[at].1)
    }
}

/// A number whose order is that of the values; both zeros are one.
fn key(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn value(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[f64], limit: usize) -> Distribution {
        let mut distribution = Distribution::with_limit(limit);
        values.iter().for_each(|&x| distribution.add(0, x, 1));
        distribution
    }

    #[test]
    fn ties_share_the_mean_of_their_ranks() {
        // Ranks 1.5, 1.5, 3, 4 around their mean of 2.5, doubled.
        let ranks = of(&[-1.0, 7.0, -1.0, 0.5], DISTINCT).ranks(|_| true);
        assert_eq!([-1.0, 0.5, 7.0].map(|x| ranks.of(x)), [-2, 1, 3]);
        assert_eq!(ranks.squares, 4 + 4 + 1 + 9);
        assert_eq!(of(&[0.0, -0.0], DISTINCT).ranks(|_| true).squares, 0);
    }

    #[test]
    fn ranks_are_among_the_patterns_that_are_asked_for() {
        let mut distribution = of(&[1.0, 2.0], DISTINCT);
        distribution.add(1, 1.5, 2);
        assert_eq!(distribution.ranks(|pattern| pattern == 0).of(2.0), 1);
        let all = distribution.ranks(|_| true);
        assert_eq!([1.0, 1.5, 2.0].map(|x| all.of(x)), [-3, 0, 3]);
    }

    #[test]
    fn the_greatest_tenth_by_hand() {
        // 20 values: the tenth is 2 of them, 8 and one of the two sixes, of 8 + 6 + 6 + 17 in all.
        let mut values = vec![1.0; 17];
        values.extend([-6.0, 8.0, 6.0]);
        assert_eq!(of(&values, DISTINCT).share_of_greatest(0.1), Some(14.0 / 37.0));
        // A tenth of 5 values is half of the greatest.
        assert_eq!(of(&[4.0, 0.0, 0.0, 0.0, 0.0], DISTINCT).share_of_greatest(0.1), Some(0.5));
        assert_eq!(of(&[0.0, -0.0], DISTINCT).share_of_greatest(0.1), None);
        assert_eq!(of(&[], DISTINCT).share_of_greatest(0.1), None);
    }

    proptest! {
        #[test]
        fn keys_are_in_the_order_of_values(a in any::<f64>(), b in any::<f64>()) {
            prop_assume!(a.is_finite() && b.is_finite());
            prop_assert_eq!(a.partial_cmp(&b), Some(key(a).cmp(&key(b))));
            prop_assert_eq!(value(key(a)), a);
        }

        #[test]
        fn the_cut_depends_on_the_set_of_values_alone(
            values in prop::collection::vec(-1e3f64..1e3, 0..60), limit in 2usize..20, at in 0usize..60
        ) {
            let straight = of(&values, limit);
            let at = at.min(values.len());
            let mut merged = of(&values[at..], limit);
            merged.merge(of(&values[..at], limit), |pattern| pattern);
            prop_assert_eq!(merged.cut, straight.cut);
            prop_assert_eq!(&merged.counts, &straight.counts);
            prop_assert!(straight.counts.len() <= limit);
            let reversed: Vec<f64> = values.iter().rev().copied().collect();
            prop_assert_eq!(&of(&reversed, limit).counts, &straight.counts);
            let bits = |of: &Distribution| of.share_of_greatest(0.1).map(f64::to_bits);
            prop_assert_eq!(bits(&merged), bits(&straight));
        }
    }
}
