//! How far two recipes agree: signs, and the correlation of ranks.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::credits::RolloutCredit;
use super::distribution::Ranks;
use super::measures::{Seen, share};

/// Every pair of recipes, by their indices.
pub(super) fn pairs(recipes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..recipes).flat_map(move |a| (a + 1..recipes).map(move |b| (a, b)))
}

/// How two recipes agree, where both train on the rollout.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Indices of the recipes.
    pub recipes: (usize, usize),
    /// By level of [`LEVELS`].
    pub levels: [Agreement; 3],
}

/// Agreement at one level.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// Elements that are compared.
    pub elements: u64,
    /// Of the elements to which at least one of the two gives credit: the share to which both give
    /// credit of the same sign.
    pub same_sign: Option<f64>,
    /// The same for opposite signs; the rest gets credit from one recipe only.
    pub opposite_sign: Option<f64>,
    /// Spearman's rank correlation; ties have the mean of their ranks. `None` where one of them gives
    /// every element the same.
    pub spearman: Option<f64>,
}

/// Elements by the signs of two recipes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Signs {
    same: u64,
    opposite: u64,
    one: u64,
    neither: u64,
}

impl Signs {
    pub(super) fn add(&mut self, a: f64, b: f64, count: u64) {
        let counted = match (a == 0.0, b == 0.0) {
            (true, true) => &mut self.neither,
            (false, false) if (a > 0.0) == (b > 0.0) => &mut self.same,
            (false, false) => &mut self.opposite,
            _ => &mut self.one,
        };
        *counted += count;
    }

    pub(super) fn merge(&mut self, other: Signs) {
        self.same += other.same;
        self.opposite += other.opposite;
        self.one += other.one;
        self.neither += other.neither;
    }
}

/// Which recipe's values are ranked among the elements of which patterns.
type Population = (usize, Vec<bool>);

/// The ranks that every pair needs, at one level. Pairs that are compared on the same rollouts share
/// those of a recipe.
pub(super) struct LevelRanks {
    tables: Vec<(usize, Ranks)>,
    /// By pair: the tables of both, and whether a pattern is compared.
    pairs: Vec<(usize, usize, Vec<bool>)>,
}

impl LevelRanks {
    pub(super) fn new(seen: &Seen, level: usize) -> Self {
        let (mut tables, mut known) = (Vec::new(), HashMap::<Population, usize>::new());
        let of_pairs = pairs(seen.recipes.len()).map(|(a, b)| {
            let members: Vec<bool> =
                seen.patterns.all().iter().map(|pattern| pattern[a] && pattern[b]).collect();
            let mut table = |recipe: usize| {
                *known.entry((recipe, members.clone())).or_insert_with(|| {
                    let values = &seen.recipes[recipe].levels[level].values;
                    tables.push((recipe, values.ranks(|pattern| members[pattern as usize])));
                    tables.len() - 1
                })
            };
            let (a, b) = (table(a), table(b));
            (a, b, members)
        });
        let pairs = of_pairs.collect();
        LevelRanks { tables, pairs }
    }
}

/// Sums of the products of ranks, by level and pair; whole numbers, so that they merge exactly.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Products([Vec<i128>; 3]);

impl Products {
    pub(super) fn new(recipes: usize) -> Self {
        let zeros = vec![0; pairs(recipes).count()];
        Products([zeros.clone(), zeros.clone(), zeros])
    }

    /// Adds a rollout of a pattern.
    pub(super) fn add(&mut self, ranks: &[LevelRanks], rollout: &RolloutCredit, pattern: u32) {
        for (level, LevelRanks { tables, pairs }) in ranks.iter().enumerate() {
            let mut found = vec![0i64; tables.len()];
            for (count, values) in rollout.levels[level].iter() {
                for (rank, (recipe, table)) in found.iter_mut().zip(tables) {
                    *rank = if rollout.in_loss[*recipe] { table.of(values[*recipe]) } else { 0 };
                }
                for (sum, (a, b, members)) in self.0[level].iter_mut().zip(pairs) {
                    if members[pattern as usize] {
                        *sum += i128::from(found[*a]) * i128::from(found[*b]) * i128::from(count);
                    }
                }
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Products) {
        for (mine, theirs) in self.0.iter_mut().flatten().zip(other.0.iter().flatten()) {
            *mine += theirs;
        }
    }

    /// The agreement of every pair.
    pub(super) fn agreements(&self, seen: &Seen, ranks: &[LevelRanks]) -> Vec<Pair> {
        let of = |(pair, recipes): (usize, (usize, usize))| {
            let levels = [0, 1, 2].map(|level| {
                let Signs { same, opposite, one, neither } = seen.signs[pair][level];
                let credited = same + opposite + one;
                let (a, b, _) = ranks[level].pairs[pair];
                let squares = [a, b].map(|table| ranks[level].tables[table].1.squares as f64);
                let spread = (squares[0] * squares[1]).sqrt();
                Agreement {
                    elements: credited + neither,
                    same_sign: share(same, credited),
                    opposite_sign: share(opposite, credited),
                    spearman: (spread > 0.0).then(|| self.0[level][pair] as f64 / spread),
                }
            });
            Pair { recipes, levels }
        };
        pairs(seen.recipes.len()).enumerate().map(of).collect()
    }
}
