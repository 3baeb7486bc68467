//! Reading the columns of a batch: ranges, anchors, and what is missing by name.

use std::ops::Range;

use super::Columns;
use super::ratio::Anchor;
use crate::{Error, Result};

impl Columns {
    /// Number of tokens.
    pub fn tokens(&self) -> usize {
        self.mask.len()
    }

    /// Number of rollouts.
    pub fn rollouts(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Tokens of a rollout.
    pub fn range(&self, rollout: usize) -> Range<usize> {
        self.offsets[rollout]..self.offsets[rollout + 1]
    }

    /// Tokens of each rollout, in order.
    pub fn ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.offsets.windows(2).map(|ends| ends[0]..ends[1])
    }

    /// Group of each rollout; where none are given, each rollout is its own.
    pub fn group(&self, rollout: usize) -> usize {
        self.groups.get(rollout).copied().unwrap_or(rollout)
    }

    /// Maximal runs of trainable tokens inside a rollout: the policy's turns.
    pub fn segments(&self) -> Vec<Range<usize>> {
        let mut segments = Vec::new();
        for range in self.ranges() {
            let mut start = None;
            for t in range.clone() {
                match (self.mask[t], start) {
                    (true, None) => start = Some(t),
                    (false, Some(first)) => {
                        segments.push(first..t);
                        start = None;
                    }
                    _ => {}
                }
            }
            segments.extend(start.map(|first| first..range.end));
        }
        segments
    }

    /// Runs of a rollout's trainable tokens with equal advantages, tokens outside the mask skipped: turns
    /// as they can be told from advantages, where neighbours with equal ones are one.
    pub fn equal_advantages(&self) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for range in self.ranges() {
            for run in
                self.trainable(range).chunk_by(|&a, &b| self.advantages.get(a) == self.advantages.get(b))
            {
                runs.extend(run.first().zip(run.last()).map(|(&first, &last)| first..last + 1));
            }
        }
        runs
    }

    /// Weight of each token in the loss and its denominators: `weights` where given, and 0 outside the
    /// mask.
    pub fn counted(&self) -> Vec<f64> {
        let on = |t: usize| if self.mask[t] { 1.0 } else { 0.0 };
        match &self.weights {
            None => (0..self.tokens()).map(on).collect(),
            Some(weights) => weights.iter().enumerate().map(|(t, weight)| on(t) * weight).collect(),
        }
    }

    /// Log-probabilities that ratios are taken against.
    ///
    /// # Errors
    /// A missing column, by name.
    pub fn anchor(&self, anchor: Anchor) -> Result<&[f64]> {
        match anchor {
            Anchor::Old => Ok(self.old_logprobs.as_deref().unwrap_or(&self.logprobs)),
            Anchor::Current => Ok(&self.logprobs),
            Anchor::Rollout => self.needed(&self.rollout_logprobs, "token_rollout_logprobs"),
        }
    }

    /// A column that an objective needs.
    ///
    /// # Errors
    /// [`Error::MissingSignal`] where the batch lacks it.
    pub fn needed<'a>(&self, column: &'a Option<Vec<f64>>, name: &str) -> Result<&'a [f64]> {
        column.as_deref().ok_or_else(|| missing(name))
    }

    /// A further signal by name.
    ///
    /// # Errors
    /// [`Error::MissingSignal`] where the batch lacks it.
    pub fn signal(&self, name: &str) -> Result<&[f64]> {
        self.signals.get(name).map(Vec::as_slice).ok_or_else(|| missing(name))
    }

    /// A further signal that has one value per token.
    ///
    /// # Errors
    /// A signal that the batch lacks, or of another length.
    pub fn token_signal(&self, name: &str) -> Result<&[f64]> {
        let values = self.signal(name)?;
        same_length(name, values.len(), self.tokens())?;
        Ok(values)
    }

    /// Outcome reward of each rollout.
    ///
    /// # Errors
    /// [`Error::MissingSignal`] where the batch has none.
    pub fn rewarded(&self) -> Result<&[f64]> {
        self.needed(&self.rewards, "reward")
    }

    /// Checks that offsets grow from 0 to the number of tokens, and that every column has one value per
    /// token.
    ///
    /// # Errors
    /// The column that does not fit, by name.
    pub fn check(&self) -> Result<()> {
        let grows = self.offsets.windows(2).all(|ends| ends[0] <= ends[1]);
        if self.offsets.first() != Some(&0) || self.offsets.last() != Some(&self.tokens()) || !grows {
            return Err(Error::usage(
                format!("offsets of the batch do not grow from 0 to its {} tokens", self.tokens()),
                "give one offset more than there are rollouts",
            ));
        }
        if !self.groups.is_empty() {
            same_length("groups", self.groups.len(), self.rollouts())?;
        }
        if let Some(rewards) = &self.rewards {
            same_length("reward", rewards.len(), self.rollouts())?;
        }
        same_length("token_logprobs", self.logprobs.len(), self.tokens())?;
        if !self.advantages.is_empty() {
            same_length("token_advantages", self.advantages.len(), self.tokens())?;
        }
        let optional = [
            ("token_old_logprobs", &self.old_logprobs),
            ("token_rollout_logprobs", &self.rollout_logprobs),
            ("token_ref_logprobs", &self.ref_logprobs),
            ("token_weights", &self.weights),
            ("token_clip_low", &self.clip_low),
            ("token_clip_high", &self.clip_high),
            ("token_entropies", &self.entropies),
            ("token_values", &self.values),
            ("token_old_values", &self.old_values),
            ("token_returns", &self.returns),
        ];
        for (name, column) in optional {
            if let Some(column) = column {
                same_length(name, column.len(), self.tokens())?;
            }
        }
        Ok(())
    }
}

fn missing(name: &str) -> Error {
    Error::MissingSignal {
        recipe: "objective".into(),
        signal: name.into(),
        hint: "score the rollouts with the policy that provides it, or choose an objective without it".into(),
    }
}

fn same_length(name: &str, got: usize, wanted: usize) -> Result<()> {
    if got == wanted {
        return Ok(());
    }
    Err(Error::usage(
        format!("column {name} of the batch has {got} values, where there are {wanted}"),
        "columns of tokens have one value per token, those of rollouts one per rollout",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Columns {
        Columns {
            offsets: vec![0, 2, 5],
            mask: vec![true, false, true, true, false],
            logprobs: vec![-1.0; 5],
            advantages: vec![1.0; 5],
            ..Columns::default()
        }
    }

    #[test]
    fn columns_that_do_not_fit_are_named() {
        columns().check().unwrap();
        let named = |change: fn(&mut Columns), name: &str| {
            let mut wrong = columns();
            change(&mut wrong);
            let error = wrong.check().unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        };
        named(|c| c.logprobs.truncate(4), "token_logprobs");
        named(|c| c.entropies = Some(vec![0.0; 6]), "token_entropies");
        named(|c| c.rewards = Some(vec![0.0; 5]), "reward");
        named(|c| c.offsets = vec![0, 3, 2, 5], "offsets");
        named(|c| c.offsets = vec![0, 4], "offsets");
    }

    #[test]
    fn columns_that_are_missing_are_named() {
        let columns = columns();
        let error = columns.anchor(Anchor::Rollout).unwrap_err().to_string();
        assert!(error.contains("token_rollout_logprobs"), "{error}");
        assert!(columns.signal("difficulty").unwrap_err().to_string().contains("difficulty"));
        assert_eq!(columns.anchor(Anchor::Old).unwrap(), columns.logprobs);
    }

    #[test]
    fn segments_are_maximal_runs_inside_a_rollout() {
        assert_eq!(columns().segments(), [0..1, 2..4]);
    }
}
