//! Counts of what judges said.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Judgement;

/// Counts of one judge over many rollouts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Rollouts that it was asked about.
    pub asked: u64,
    /// Rollouts that it was not asked about, because the same question was answered before.
    pub skipped: u64,
    /// Scores.
    pub scores: u64,
    /// Elements, or rollouts, about which it has no opinion.
    pub no_opinion: u64,
    /// Failed judgements, by kind and reason.
    pub failures: BTreeMap<String, u64>,
}

/// Different reasons that are counted apart; the others are counted by kind.
const REASONS: usize = 20;

impl Tally {
    /// Counts a judgement.
    pub fn add(&mut self, judgement: &Judgement) {
        self.asked += 1;
        match &judgement.scores {
            Ok(scores) => {
                let scored = scores.iter().flatten().count() as u64;
                self.scores += scored;
                self.no_opinion += scores.len() as u64 - scored;
            }
            Err(failure) => {
                let full = format!("{}: {}", failure.status(), failure.reason());
                self.fail(full, failure.status(), 1);
            }
        }
    }

    /// Adds the counts of another part.
    pub fn merge(&mut self, other: Tally) {
        self.asked += other.asked;
        self.skipped += other.skipped;
        self.scores += other.scores;
        self.no_opinion += other.no_opinion;
        for (reason, count) in other.failures {
            let kind = reason.split(':').next().unwrap_or_default().to_owned();
            self.fail(reason, &kind, count);
        }
    }

    /// Failed judgements.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    fn fail(&mut self, reason: String, kind: &str, count: u64) {
        let known = self.failures.contains_key(&reason) || self.failures.len() < REASONS;
        *self.failures.entry(if known { reason } else { kind.to_owned() }).or_default() += count;
    }
}
