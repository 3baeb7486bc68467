//! Values of a whole iteration in order, ties in canonical order, whoever gathered them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::order::compare_ids;

/// Values with where they are: 16 bytes each, and the ids of each rollout once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Ranked {
    /// Group and rollout of each owner.
    owners: Vec<(String, String)>,
    /// Bits of the value, owner, and position in its rollout.
    values: Vec<(u64, u32, u32)>,
}

impl Ranked {
    /// Adds a rollout, whose values are to follow.
    pub(super) fn add_owner(&mut self, group: &str, rollout: &str) {
        self.owners.push((group.to_owned(), rollout.to_owned()));
    }

    /// Adds a value of the last owner.
    pub(super) fn add(&mut self, x: f64, position: usize) {
        self.values.push((x.to_bits(), self.owners.len().saturating_sub(1) as u32, position as u32));
    }

    pub(super) fn merge(&mut self, other: Ranked) {
        let before = self.owners.len() as u32;
        self.owners.extend(other.owners);
        self.values.extend(other.values.into_iter().map(|(x, owner, at)| (x, owner + before, at)));
    }

    pub(super) fn sorted(self) -> Sorted {
        let mut order: Vec<u32> = (0..self.owners.len() as u32).collect();
        order.sort_by(|&a, &b| {
            let (a, b) = (&self.owners[a as usize], &self.owners[b as usize]);
            compare_ids(&a.0, &b.0).then_with(|| compare_ids(&a.1, &b.1))
        });
        let mut place = vec![0; order.len()];
        let mut owners = HashMap::with_capacity(order.len());
        // A rollout may have been added in several parts.
        let mut canonical = 0;
        for (at, &owner) in order.iter().enumerate() {
            let before = at.checked_sub(1).map(|before| &self.owners[order[before] as usize]);
            canonical += u32::from(before.is_some_and(|before| *before != self.owners[owner as usize]));
            place[owner as usize] = canonical;
        }
        for (owner, ids) in self.owners.into_iter().enumerate() {
            owners.insert(ids, place[owner]);
        }
        let mut values: Vec<(f64, u32, u32)> = self
            .values
            .into_iter()
            .map(|(x, owner, at)| (f64::from_bits(x), place[owner as usize], at))
            .collect();
        values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then_with(|| (a.1, a.2).cmp(&(b.1, b.2))));
        Sorted { owners, values }
    }
}

/// All values of one key in ascending order; equal ones in canonical order.
#[derive(Debug, Clone)]
pub(super) struct Sorted {
    owners: HashMap<(String, String), u32>,
    values: Vec<(f64, u32, u32)>,
}

impl Sorted {
    /// The canonical place of a rollout; `None` if it has no value.
    pub(super) fn owner(&self, group: &str, rollout: &str) -> Option<u32> {
        self.owners.get(&(group.to_owned(), rollout.to_owned())).copied()
    }

    /// Number of values that come before one: the smaller ones, or the greater ones, and equal ones that
    /// come earlier in canonical order.
    pub(super) fn rank(&self, x: f64, owner: u32, position: usize, ascending: bool) -> usize {
        let own = (owner, position as u32);
        let before = |other: &(f64, u32, u32)| {
            other.0.total_cmp(&x).then_with(|| (other.1, other.2).cmp(&own)).is_lt()
        };
        let at = self.values.partition_point(before);
        if ascending {
            return at;
        }
        // Equal values lie on both sides of it, mostly few.
        let equal = |other: &(f64, u32, u32)| other.0.total_cmp(&x).is_eq();
        let (before, after) = self.values.split_at(at);
        let below = at - reach(before.len(), |step| equal(&before[before.len() - 1 - step]));
        let up_to = at + reach(after.len(), |step| equal(&after[step]));
        self.values.len() - up_to + (at - below)
    }
}

/// Number of first steps for which `holds` is true, of at most `length`, where it is true up to some step.
fn reach(length: usize, holds: impl Fn(usize) -> bool) -> usize {
    let mut past = 1;
    while past <= length && holds(past - 1) {
        past *= 2;
    }
    let (mut low, mut high) = (past / 2, past.min(length + 1) - 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::reach;

    #[test]
    fn reach_counts_the_first_steps() {
        for length in 0..40 {
            for first in 0..=length {
                assert_eq!(reach(length, |step| step < first), first, "{first} of {length}");
            }
        }
    }
}
