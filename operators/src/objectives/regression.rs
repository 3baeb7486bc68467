//! Weighted regression: imitation losses of samples (rollouts, steps, chunks), weighted.

use std::ops::Range;

use super::{Columns, Loss, exact};
use crate::credit::ExactSum;
use crate::{Error, Result};

/// What each sample loses before it is weighted.
pub enum Errors<'a> {
    /// Mean of `-logp` over the sample's trainable tokens.
    LogLikelihood,
    /// A signal with one error per sample, such as the squared error of a velocity.
    Given(&'a str, &'a [f64]),
}

impl<'a> Errors<'a> {
    /// The signal of this name where the batch has it, one error per sample, else log-likelihoods.
    ///
    /// # Errors
    /// A signal of another length.
    pub fn of(columns: &'a Columns, name: &'a str, samples: usize) -> Result<Self> {
        let Some(errors) = columns.signals.get(name) else {
            return Ok(Errors::LogLikelihood);
        };
        if errors.len() != samples {
            return Err(Error::usage(
                format!("column {name} of the batch has {} values, where there are {samples}", errors.len()),
                "it has one error per sample of the regression",
            ));
        }
        Ok(Errors::Given(name, errors))
    }

    /// Whether a sample with these tokens has an error.
    pub fn has(&self, columns: &Columns, sample: &Range<usize>) -> bool {
        matches!(self, Errors::Given(..)) || sample.clone().any(|t| columns.mask[t])
    }
}

/// Adds `sum_i shares_i e_i`, the shares held fixed, and its gradient: with respect to log-probabilities, or to
/// the given errors.
pub fn weighted_regression(
    columns: &Columns,
    samples: &[Range<usize>],
    shares: &[f64],
    errors: &Errors,
    loss: &mut Loss,
) {
    match errors {
        Errors::Given(name, errors) => {
            loss.value += exact(shares.iter().zip(*errors).map(|(share, error)| share * error));
            loss.signals.insert((*name).to_owned(), shares.to_vec());
        }
        Errors::LogLikelihood => {
            let mut value = ExactSum::default();
            for (sample, share) in samples.iter().zip(shares) {
                let tokens = columns.trainable(sample.clone());
                for &t in &tokens {
                    let share = share / tokens.len() as f64;
                    value.add(-share * columns.logprobs[t]);
                    loss.logprobs[t] -= share;
                }
            }
            loss.value += value.value();
        }
    }
}
