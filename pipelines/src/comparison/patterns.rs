//! Which recipes train on a rollout; rollouts with the same answer are one pattern.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Numbers for patterns, in the order in which they are met.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(from = "Vec<Vec<bool>>", into = "Vec<Vec<bool>>")]
pub(super) struct Patterns {
    all: Vec<Vec<bool>>,
    numbers: HashMap<Vec<bool>, u32>,
}

impl Patterns {
    /// The number of a pattern.
    pub(super) fn number(&mut self, in_loss: &[bool]) -> u32 {
        if let Some(number) = self.numbers.get(in_loss) {
            return *number;
        }
        let number = self.all.len() as u32;
        self.all.push(in_loss.to_owned());
        self.numbers.insert(in_loss.to_owned(), number);
        number
    }

    /// The number of a pattern that was met.
    pub(super) fn find(&self, in_loss: &[bool]) -> Option<u32> {
        self.numbers.get(in_loss).copied()
    }

    /// All patterns, by their numbers.
    pub(super) fn all(&self) -> &[Vec<bool>] {
        &self.all
    }
}

impl From<Vec<Vec<bool>>> for Patterns {
    fn from(all: Vec<Vec<bool>>) -> Self {
        let numbers = all.iter().cloned().zip(0..).collect();
        Patterns { all, numbers }
    }
}

impl From<Patterns> for Vec<Vec<bool>> {
    fn from(patterns: Patterns) -> Self {
        patterns.all
    }
}
