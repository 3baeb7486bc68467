//! Pairs of rollouts, and how groups of rewarded rollouts become pairs.

use std::collections::BTreeMap;

use crate::objectives::Columns;
use crate::{Error, Result};

/// Two rollouts of a batch, of which one is preferred.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Number of the preferred rollout.
    pub chosen: usize,
    /// Number of the other.
    pub rejected: usize,
    /// Multiplies the pair's loss; the mean still divides by the number of pairs.
    pub weight: f64,
}

impl Pair {
    /// A pair of weight 1.
    pub fn new(chosen: usize, rejected: usize) -> Self {
        Pair { chosen, rejected, weight: 1.0 }
    }

    /// The same pair with a weight.
    pub fn weighted(self, weight: f64) -> Self {
        Pair { weight, ..self }
    }
}

impl Columns {
    /// The pairs, checked.
    ///
    /// # Errors
    /// A pair of a rollout that the batch does not have, or with itself.
    pub fn known_pairs(&self) -> Result<&[Pair]> {
        let rollouts = self.offsets.len().saturating_sub(1);
        let wrong = |pair: &&Pair| {
            pair.chosen >= rollouts || pair.rejected >= rollouts || pair.chosen == pair.rejected
        };
        match self.pairs.iter().find(wrong) {
            None => Ok(&self.pairs),
            Some(pair) => Err(Error::usage(
                format!("a pair of rollouts {} and {} in a batch of {rollouts}", pair.chosen, pair.rejected),
                "pairs name two different rollouts of the batch by their number, from 0",
            )),
        }
    }

    /// A further signal that has one value per rollout.
    ///
    /// # Errors
    /// A signal that the batch lacks, or of another length.
    pub fn rollout_signal(&self, name: &str) -> Result<&[f64]> {
        let values = self.signal(name)?;
        if values.len() == self.rollouts() {
            return Ok(values);
        }
        Err(Error::usage(
            format!(
                "signal {name} of the batch has {} values for {} rollouts",
                values.len(),
                self.rollouts()
            ),
            "it has one value per rollout",
        ))
    }

    /// Rollouts of each group, in order of the groups' numbers.
    pub fn members(&self) -> Vec<Vec<usize>> {
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for rollout in 0..self.rollouts() {
            groups.entry(self.group(rollout)).or_default().push(rollout);
        }
        groups.into_values().collect()
    }
}

/// The best rollout of each group against its worst, by reward; among equals the first. A group whose
/// rewards are all equal has no pair.
///
/// # Errors
/// A batch without rewards.
pub fn best_against_worst(columns: &Columns) -> Result<Vec<Pair>> {
    let rewards = columns.rewarded()?;
    let pair = |group: Vec<usize>| {
        let by = |better: fn(f64, f64) -> bool| {
            group.iter().copied().reduce(|a, b| if better(rewards[b], rewards[a]) { b } else { a })
        };
        let (best, worst) = (by(|x, y| x > y)?, by(|x, y| x < y)?);
        (rewards[best] > rewards[worst]).then(|| Pair::new(best, worst))
    };
    Ok(columns.members().into_iter().filter_map(pair).collect())
}

/// Every two rollouts of a group whose rewards differ, the better one chosen.
///
/// # Errors
/// A batch without rewards.
pub fn better_against_worse(columns: &Columns) -> Result<Vec<Pair>> {
    let rewards = columns.rewarded()?;
    let mut pairs = Vec::new();
    for group in columns.members() {
        for &better in &group {
            let worse = group.iter().filter(|&&worse| rewards[better] > rewards[worse]);
            pairs.extend(worse.map(|&worse| Pair::new(better, worse)));
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Columns {
        Columns {
            offsets: vec![0, 1, 2, 3, 4, 5],
            groups: vec![1, 0, 1, 1, 0],
            mask: vec![true; 5],
            logprobs: vec![0.0; 5],
            rewards: Some(vec![0.5, 1.0, 0.0, 0.5, 1.0]),
            ..Columns::default()
        }
    }

    #[test]
    fn pairs_stay_in_their_group_and_ties_make_none() {
        assert_eq!(best_against_worst(&columns()).unwrap(), [Pair::new(0, 2)]);
        assert_eq!(better_against_worse(&columns()).unwrap(), [Pair::new(0, 2), Pair::new(3, 2)]);
    }

    #[test]
    fn a_pair_outside_the_batch_is_an_error() {
        let columns = Columns { pairs: vec![Pair::new(0, 5)], ..columns() };
        assert!(columns.known_pairs().unwrap_err().to_string().contains("0 and 5"));
    }
}
