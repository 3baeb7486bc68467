//! Objectives that act on the tokens of highest covariance between log-probability and advantage
//! (arXiv 2505.22617).

use twox_hash::XxHash3_128;

use super::clip::Clip;
use super::surrogate::{Surrogate, Token, TokenLosses, each};
use super::{Columns, over_rollouts};
use crate::Result;

/// `(A - mean A)(log pi - mean log pi)` of each token, with means over the trainable ones.
pub fn covariances(columns: &Columns, advantages: &[f64]) -> Vec<f64> {
    let count = columns.mask.iter().filter(|&&on| on).count() as f64;
    let mean =
        |values: &[f64]| over_rollouts(columns, |t| if columns.mask[t] { values[t] } else { 0.0 }) / count;
    let (advantage, logprob) = (mean(advantages), mean(&columns.logprobs));
    (0..columns.tokens()).map(|t| (advantages[t] - advantage) * (columns.logprobs[t] - logprob)).collect()
}

/// Clip-Cov: PPO's clip, and no loss on a random choice of the unclipped tokens whose covariance is inside
/// `lower..upper` (open); `max(1, int(fraction * tokens))` of them are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClipCov {
    /// The clip.
    pub clip: Clip,
    /// Fraction of the trainable tokens that is chosen.
    pub fraction: f64,
    /// Lower bound of the covariance.
    pub lower: f64,
    /// Upper bound of the covariance.
    pub upper: f64,
    /// What the random choice depends on, beside the numbers of each token: so that it depends neither on
    /// the order of rollouts nor on what was drawn before.
    pub seed: u64,
}

impl ClipCov {
    fn draw(&self, columns: &Columns, t: usize, covariance: f64) -> u128 {
        let mut bytes = columns.logprobs[t].to_bits().to_le_bytes().to_vec();
        bytes.extend(covariance.to_bits().to_le_bytes());
        XxHash3_128::oneshot_with_seed(self.seed, &bytes)
    }
}

impl Surrogate for ClipCov {
    fn losses(&self, columns: &Columns, log_ratios: &[f64], advantages: &[f64]) -> Result<TokenLosses> {
        let mut losses = self.clip.losses(columns, log_ratios, advantages)?;
        let covariances = covariances(columns, advantages);
        let mut candidates: Vec<usize> = (0..columns.tokens())
            .filter(|&t| columns.mask[t] && !losses.tokens[t].clipped)
            .filter(|&t| covariances[t] > self.lower && covariances[t] < self.upper)
            .collect();
        let trainable = columns.mask.iter().filter(|&&on| on).count();
        let count = ((self.fraction * trainable as f64) as usize).max(1);
        if candidates.len() > count {
            candidates.sort_by_key(|&t| (self.draw(columns, t, covariances[t]), t));
            candidates.truncate(count);
        }
        for t in candidates {
            losses.tokens[t] = Token { clipped: true, ..Token::default() };
        }
        Ok(losses)
    }
}

/// KL-Cov: `-A r` without a clip, plus `coef |log r|` on the `max(1, int(fraction * tokens))` tokens of highest
/// covariance; ties go to the earlier token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KlCov {
    /// Fraction of the trainable tokens that is penalised.
    pub fraction: f64,
    /// Coefficient of the penalty.
    pub coef: f64,
}

impl Surrogate for KlCov {
    fn losses(&self, columns: &Columns, log_ratios: &[f64], advantages: &[f64]) -> Result<TokenLosses> {
        let covariances = covariances(columns, advantages);
        let mut on: Vec<usize> = (0..columns.tokens()).filter(|&t| columns.mask[t]).collect();
        let count = ((self.fraction * on.len() as f64) as usize).max(1);
        on.sort_by(|&a, &b| covariances[b].total_cmp(&covariances[a]).then(a.cmp(&b)));
        let mut losses = each(columns, |t| Token::through(log_ratios[t].exp(), -advantages[t]));
        for t in on.into_iter().take(count) {
            let (token, x) = (&mut losses.tokens[t], log_ratios[t]);
            token.loss += self.coef * x.abs();
            token.by_log_ratio += self.coef * if x == 0.0 { 0.0 } else { x.signum() };
            token.clipped = true;
        }
        Ok(losses)
    }
}
