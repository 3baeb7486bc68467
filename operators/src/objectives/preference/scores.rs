//! Scores: one number per rollout, with its derivative with respect to every token's log-probability.

use super::logistic::{log_sigmoid, logistic};
use crate::objectives::Columns;
use crate::{Error, Result};

/// Scores of the rollouts of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// One per rollout.
    pub values: Vec<f64>,
    /// One per token: derivative of its rollout's score with respect to its log-probability.
    pub slopes: Vec<f64>,
}

/// How far two distributions are apart, as the transform of log-ratios that it makes in DPO
/// (f-DPO, arXiv 2309.16240): `f'(exp(s))`, up to a constant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Divergence {
    /// `s`.
    ReverseKl,
    /// `-exp(-s)`.
    ForwardKl,
    /// `log sigmoid(s)`.
    JensenShannon,
    /// `exp((alpha - 1) s) / (alpha - 1)`; `s` where alpha is 1.
    Alpha(f64),
}

impl Divergence {
    /// The transform of a log-ratio, and its derivative.
    pub fn transform(self, s: f64) -> (f64, f64) {
        match self {
            Divergence::ReverseKl => (s, 1.0),
            Divergence::ForwardKl => (-(-s).exp(), (-s).exp()),
            Divergence::JensenShannon => (log_sigmoid(s), logistic(-s)),
            Divergence::Alpha(alpha) if (alpha - 1.0).abs() < 1e-6 => (s, 1.0),
            Divergence::Alpha(alpha) => {
                let power = ((alpha - 1.0) * s).exp();
                (power / (alpha - 1.0), power)
            }
        }
    }
}

impl Scores {
    /// `sum_t logp_t` over the trainable tokens.
    ///
    /// # Errors
    /// As [`Columns::check`].
    pub fn likelihoods(columns: &Columns) -> Result<Self> {
        Self::weighted(columns, None, |_| 1.0)
    }

    /// `sum_t (logp_t - ref_t)` over the trainable tokens: beta times this is DPO's implicit reward.
    ///
    /// # Errors
    /// A batch without reference log-probabilities, or as [`Columns::check`].
    pub fn log_ratios(columns: &Columns) -> Result<Self> {
        let reference = columns.needed(&columns.ref_logprobs, "token_ref_logprobs")?;
        Self::weighted(columns, Some(reference), |_| 1.0)
    }

    /// `sum_t w_t (logp_t - reference_t)` over the trainable tokens, with 0 for an absent reference. The
    /// weight is asked for by the token's number in the batch, and held fixed.
    ///
    /// # Errors
    /// As [`Columns::check`].
    pub fn weighted(
        columns: &Columns,
        reference: Option<&[f64]>,
        weight: impl Fn(usize) -> f64,
    ) -> Result<Self> {
        columns.check()?;
        if let Some(reference) = reference
            && reference.len() != columns.tokens()
        {
            return Err(Error::usage(
                format!(
                    "a reference of {} log-probabilities for {} tokens",
                    reference.len(),
                    columns.tokens()
                ),
                "give one per token of the batch",
            ));
        }
        let mut scores = Scores { values: Vec::new(), slopes: vec![0.0; columns.tokens()] };
        for range in columns.ranges() {
            let mut sum = 0.0;
            for t in range.filter(|&t| columns.mask[t]) {
                scores.slopes[t] = weight(t);
                sum += scores.slopes[t] * (columns.logprobs[t] - reference.map_or(0.0, |given| given[t]));
            }
            scores.values.push(sum);
        }
        Ok(scores)
    }

    /// Every score divided by its rollout's number of trainable tokens; one without any stays 0.
    pub fn per_token(self, columns: &Columns) -> Self {
        let lengths = lengths(columns);
        self.map(columns, |rollout, score| {
            let per = 1.0 / lengths[rollout].max(1.0);
            (per * score, per)
        })
    }

    /// `f(s)` for every score, with the derivative that `f` gives beside it; `f` is told the rollout.
    pub fn map(mut self, columns: &Columns, f: impl Fn(usize, f64) -> (f64, f64)) -> Self {
        for (rollout, range) in columns.ranges().enumerate() {
            let (value, slope) = f(rollout, self.values[rollout]);
            self.values[rollout] = value;
            self.slopes[range].iter_mut().for_each(|of_token| *of_token *= slope);
        }
        self
    }

    /// Derivatives with respect to token log-probabilities, from those with respect to scores.
    pub fn gradient(&self, columns: &Columns, by_score: &[f64]) -> Vec<f64> {
        let mut gradient = vec![0.0; self.slopes.len()];
        for (rollout, range) in columns.ranges().enumerate() {
            for t in range.filter(|&t| columns.mask[t]) {
                gradient[t] = by_score[rollout] * self.slopes[t];
            }
        }
        gradient
    }
}

/// Number of trainable tokens of each rollout.
pub(crate) fn lengths(columns: &Columns) -> Vec<f64> {
    columns.ranges().map(|range| range.filter(|&t| columns.mask[t]).count() as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transforms_have_their_derivatives() {
        let divergences = [
            Divergence::ReverseKl,
            Divergence::ForwardKl,
            Divergence::JensenShannon,
            Divergence::Alpha(0.3),
            Divergence::Alpha(1.0),
        ];
        for divergence in divergences {
            for s in [-0.7, 0.0, 1.3] {
                let numeric = (divergence.transform(s + 1e-6).0 - divergence.transform(s - 1e-6).0) / 2e-6;
                assert!((divergence.transform(s).1 - numeric).abs() < 1e-8, "{divergence:?} at {s}");
            }
        }
    }

    #[test]
    fn masked_tokens_count_nowhere() {
        let columns = Columns {
            offsets: vec![0, 3, 3],
            mask: vec![true, false, true],
            logprobs: vec![-1.0, f64::NAN, -0.5],
            ref_logprobs: Some(vec![-1.5, f64::NAN, -1.5]),
            ..Columns::default()
        };
        let scores = Scores::log_ratios(&columns).unwrap().per_token(&columns);
        assert_eq!(scores.values, [0.75, 0.0]);
        assert_eq!(scores.gradient(&columns, &[2.0, 2.0]), [1.0, 0.0, 1.0]);
    }
}
