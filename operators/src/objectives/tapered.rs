//! Weights on `A log pi` that depend on a whole sequence or its outcome: VESPO and TOPR.

use super::Columns;
use super::correction::Correction;
use super::policy::{Weighting, Weights};
use super::ratio::bounded;
use super::surrogate::{Surrogate, Token, TokenLosses, each};
use crate::Result;

/// VESPO (arXiv 2602.10693): `phi = exp(lambda + k log w - lambda w)` with the ratio `w` of the whole
/// sequence, held fixed; `-phi A log pi`. Meant for [`Pool::Sum`](super::Pool::Sum) over sequences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Vespo {
    /// `(k, lambda)` where the advantage is at least 0.
    pub positive: (f64, f64),
    /// `(k, lambda)` where it is negative.
    pub negative: (f64, f64),
    /// Bounds of `log w`.
    pub bounds: (f64, f64),
    /// An off-policy correction whose weights enter `log w` as a sum of logarithms.
    pub inside: Option<Correction>,
}

impl Vespo {
    /// The weight of a sequence.
    ///
    /// ```
    /// use meed_operators::objectives::Vespo;
    /// let phi = |log_w, advantage| Vespo::default().phi(log_w, advantage);
    /// assert!((phi(0.3, 1.0) - 0.6378982936).abs() < 1e-9);
    /// assert!((phi(0.3, -1.0) - 1.2217477125).abs() < 1e-9);
    /// assert!((phi(-0.5, 1.0) - 1.1977059525).abs() < 1e-9);
    /// ```
    pub fn phi(&self, log_w: f64, advantage: f64) -> f64 {
        let (k, lambda) = if advantage >= 0.0 { self.positive } else { self.negative };
        let log_w = log_w.clamp(self.bounds.0, self.bounds.1);
        (lambda + k * log_w - lambda * log_w.exp()).exp()
    }
}

impl Default for Vespo {
    fn default() -> Self {
        Vespo { positive: (2.0, 3.0), negative: (3.0, 2.0), bounds: (-18.42, 20.0), inside: None }
    }
}

impl Surrogate for Vespo {
    fn losses(&self, columns: &Columns, log_ratios: &[f64], advantages: &[f64]) -> Result<TokenLosses> {
        let mut log_w = log_ratios.to_vec();
        if let Some(correction) = &self.inside {
            let mut weights = Weights::of(columns);
            correction.weigh(columns, advantages, &mut weights)?;
            for range in columns.ranges() {
                let on = range.clone().filter(|&t| columns.mask[t]);
                let sum: f64 = on.map(|t| weights.factors[t].ln()).sum();
                log_w[range].iter_mut().for_each(|log| *log += sum);
            }
        }
        Ok(each(columns, |t| {
            Token::detached(self.phi(log_w[t], advantages[t]), advantages[t], columns.logprobs[t])
        }))
    }
}

/// TOPR (arXiv 2503.14286): rollouts of positive reward are trained on with a constant weight, the others
/// with the clamped ratio, both held fixed; `-w A log pi`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Topr {
    /// Weight of positive rollouts.
    pub positive: f64,
    /// Weight of the others.
    pub negative: f64,
    /// Bounds of their ratio.
    pub bounds: (f64, f64),
}

impl Surrogate for Topr {
    fn losses(&self, columns: &Columns, log_ratios: &[f64], advantages: &[f64]) -> Result<TokenLosses> {
        let rewards = columns.rewarded()?;
        let mut losses = TokenLosses { tokens: vec![Token::default(); columns.tokens()] };
        for (row, range) in columns.ranges().enumerate() {
            for t in range.filter(|&t| columns.mask[t]) {
                let ratio = log_ratios[t].exp();
                let bounded = bounded(ratio, self.bounds.0, self.bounds.1);
                let positive = rewards[row] > 0.0;
                let weight = if positive { self.positive } else { self.negative * bounded };
                losses.tokens[t] = Token {
                    clipped: !positive && bounded != ratio,
                    ..Token::detached(weight, advantages[t], columns.logprobs[t])
                };
            }
        }
        Ok(losses)
    }
}
