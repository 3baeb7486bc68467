//! The first pass: what each recipe gives, alone and beside each other one, in sums that merge.

use meed_operators::credit::ExactSum;
use serde::{Deserialize, Serialize};

use super::credits::{LEVELS, RolloutCredit, TOKENS};
use super::distribution::Distribution;
use super::pairs::{Signs, pairs};
use super::patterns::Patterns;
use crate::stored::Summary;

/// The share of tokens that concentration looks at.
const GREATEST: f64 = 0.1;

/// What one recipe gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Measures {
    /// Rollouts, those that are trained on, and why others are not.
    pub summary: Summary,
    /// Share of the groups in which no token has an advantage other than 0.
    pub zero_signal: Option<f64>,
    /// Mean absolute advantage, by level of [`LEVELS`]: of trainable tokens, of the means of steps and of
    /// rollouts, where the recipe trains on them.
    pub mean_absolute: [Option<f64>; 3],
    /// Root of the mean squared advantage of a token: the recipe's own unit of credit.
    pub scale: Option<f64>,
    /// Share of the total absolute credit that lies on the tenth of the tokens with the most of it.
    pub concentration: Option<f64>,
    /// Share of the rollouts in the loss whose tokens have not all the same advantage.
    pub uneven: Option<f64>,
    /// By level: significant bits to which values were cut, where there are too many different ones for
    /// exact ranks and concentration.
    pub significant_bits: [Option<u32>; 3],
}

/// What a worker has seen of all recipes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) patterns: Patterns,
    pub(super) recipes: Vec<OfRecipe>,
    /// Signs of each pair, by level.
    pub(super) signs: Vec<[Signs; 3]>,
    pub(super) groups: u64,
    pub(super) rollouts: u64,
    /// Elements of all rollouts, by level.
    pub(super) elements: [u64; 3],
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct OfRecipe {
    pub(super) summary: Summary,
    zero_signal: u64,
    uneven: u64,
    pub(super) levels: [OfLevel; 3],
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct OfLevel {
    elements: u64,
    absolute: ExactSum,
    squares: ExactSum,
    pub(super) values: Distribution,
}

impl Seen {
    pub(super) fn new(recipes: usize) -> Self {
        Seen {
            recipes: vec![OfRecipe::default(); recipes],
            signs: vec![Default::default(); pairs(recipes).count()],
            ..Seen::default()
        }
    }

    /// Adds the rollouts of one group.
    pub(super) fn group(&mut self, rollouts: &[RolloutCredit]) {
        self.groups += 1;
        self.rollouts += rollouts.len() as u64;
        for (index, recipe) in self.recipes.iter_mut().enumerate() {
            let gives = |of: &RolloutCredit| of.levels[TOKENS].iter().any(|(_, values)| values[index] != 0.0);
            recipe.zero_signal += u64::from(!rollouts.iter().any(gives));
        }
        rollouts.iter().for_each(|rollout| self.rollout(rollout));
    }

    fn rollout(&mut self, rollout: &RolloutCredit) {
        let pattern = self.patterns.number(&rollout.in_loss);
        for level in 0..LEVELS.len() {
            for (count, values) in rollout.levels[level].iter() {
                self.elements[level] += count;
                let trained = self.recipes.iter_mut().zip(values).zip(&rollout.in_loss);
                for ((recipe, &value), _) in trained.filter(|(_, in_loss)| **in_loss) {
                    recipe.levels[level].add(pattern, value, count);
                }
                for ((a, b), signs) in pairs(values.len()).zip(&mut self.signs) {
                    if rollout.in_loss[a] && rollout.in_loss[b] {
                        signs[level].add(values[a], values[b], count);
                    }
                }
            }
        }
        for (index, recipe) in
            self.recipes.iter_mut().enumerate().filter(|(index, _)| rollout.in_loss[*index])
        {
            let mut values = rollout.levels[TOKENS].iter().map(|(_, values)| values[index]);
            let first = values.next();
            recipe.uneven += u64::from(values.any(|value| Some(value) != first));
        }
    }

    /// Adds what another worker has seen.
    pub(super) fn merge(&mut self, other: Seen) {
        let numbers: Vec<u32> =
            other.patterns.all().iter().map(|pattern| self.patterns.number(pattern)).collect();
        for (mine, theirs) in self.recipes.iter_mut().zip(other.recipes) {
            mine.summary.merge(theirs.summary);
            mine.zero_signal += theirs.zero_signal;
            mine.uneven += theirs.uneven;
            for (mine, theirs) in mine.levels.iter_mut().zip(theirs.levels) {
                mine.elements += theirs.elements;
                mine.absolute.merge(&theirs.absolute);
                mine.squares.merge(&theirs.squares);
                mine.values.merge(theirs.values, |pattern| numbers[pattern as usize]);
            }
        }
        for (mine, theirs) in self.signs.iter_mut().zip(other.signs) {
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| mine.merge(theirs));
        }
        self.groups += other.groups;
        self.rollouts += other.rollouts;
        self.elements.iter_mut().zip(other.elements).for_each(|(mine, theirs)| *mine += theirs);
    }

    /// The measures of each recipe.
    pub(super) fn measures(&self) -> Vec<Measures> {
        let of = |recipe: &OfRecipe| Measures {
            summary: recipe.summary.clone(),
            zero_signal: share(recipe.zero_signal, self.groups),
            mean_absolute: [0, 1, 2].map(|level| recipe.levels[level].mean_absolute()),
            scale: recipe.levels[TOKENS].scale(),
            concentration: recipe.levels[TOKENS].values.share_of_greatest(GREATEST),
            uneven: share(recipe.uneven, recipe.summary.in_loss),
            significant_bits: [0, 1, 2].map(|level| {
                // Advantages of tokens have no more bits than these.
                let all = if level == TOKENS { f32::MANTISSA_DIGITS } else { f64::MANTISSA_DIGITS };
                recipe.levels[level].values.significant_bits().filter(|bits| *bits < all)
            }),
        };
        self.recipes.iter().map(of).collect()
    }

    /// The unit of credit of each recipe; `None` where it gives none.
    pub(super) fn scales(&self) -> Vec<Option<f64>> {
        let scales = self.recipes.iter().map(|recipe| recipe.levels[TOKENS].scale());
        scales.map(|scale| scale.filter(|scale| *scale > 0.0)).collect()
    }
}

impl OfLevel {
    fn add(&mut self, pattern: u32, value: f64, count: u64) {
        self.elements += count;
        self.absolute.add_product(value.abs(), count as f64);
        self.squares.add_product(value * value, count as f64);
        self.values.add(pattern, value, count);
    }

    fn mean_absolute(&self) -> Option<f64> {
        (self.elements > 0).then(|| self.absolute.value() / self.elements as f64)
    }

    fn scale(&self) -> Option<f64> {
        (self.elements > 0).then(|| (self.squares.value() / self.elements as f64).sqrt())
    }
}

pub(super) fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}
