//! Filters of tokens by entropy, by drift from the sampling policy, and by given weights.

use super::policy::{Weighting, Weights};
use super::ratio::Anchor;
use super::{Columns, exact};
use crate::Result;
use crate::credit::ExactSum;

/// Only the tokens of highest entropy have a policy loss (arXiv 2506.01939): those at or above the
/// quantile, linearly interpolated, over all trainable tokens. The others stay in the denominators.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EntropyMask {
    /// Fraction of the tokens that is kept: 0.2 keeps a fifth.
    pub keep_top: f64,
}

impl EntropyMask {
    /// Lowest entropy that is kept; minus infinity where nothing is trainable.
    ///
    /// ```
    /// use meed_operators::objectives::{Columns, EntropyMask};
    /// let columns = Columns {
    ///     offsets: vec![0, 5],
    ///     mask: vec![true; 5],
    ///     entropies: Some(vec![0.1, 0.5, 2.0, 1.0, 0.05]),
    ///     ..Columns::default()
    /// };
    /// assert!((EntropyMask { keep_top: 0.2 }.threshold(&columns)? - 1.2).abs() < 1e-12);
    /// # Ok::<(), meed_operators::Error>(())
    /// ```
    ///
    /// # Errors
    /// A batch without entropies.
    pub fn threshold(&self, columns: &Columns) -> Result<f64> {
        let entropies = columns.needed(&columns.entropies, "token_entropies")?;
        let mut on: Vec<f64> =
            (0..columns.tokens()).filter(|&t| columns.mask[t]).map(|t| entropies[t]).collect();
        on.sort_by(f64::total_cmp);
        let Some(last) = on.len().checked_sub(1) else {
            return Ok(f64::NEG_INFINITY);
        };
        let place = (1.0 - self.keep_top).clamp(0.0, 1.0) * last as f64;
        let below = (place.floor() as usize).min(last);
        let above = (below + 1).min(last);
        Ok(on[below] + (on[above] - on[below]) * (place - below as f64))
    }

    /// Whether each token is kept.
    ///
    /// # Errors
    /// A batch without entropies.
    pub fn kept(&self, columns: &Columns) -> Result<Vec<bool>> {
        let threshold = self.threshold(columns)?;
        let entropies = columns.needed(&columns.entropies, "token_entropies")?;
        Ok((0..columns.tokens()).map(|t| columns.mask[t] && entropies[t] >= threshold).collect())
    }
}

impl Weighting for EntropyMask {
    fn weigh(&self, columns: &Columns, _advantages: &[f64], weights: &mut Weights) -> Result<()> {
        for (into, kept) in weights.keep.iter_mut().zip(self.kept(columns)?) {
            *into &= kept;
        }
        Ok(())
    }
}

/// Tokens of negative advantage are dropped in rollouts that have drifted: where the mean over trainable
/// tokens of `log(anchor / current)` is above the threshold (DeepSeek-V3.2, arXiv 2512.02556).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OffPolicyMask {
    /// The policy that the current one is compared with.
    pub anchor: Anchor,
    /// Largest mean log-ratio that is kept.
    pub threshold: f64,
}

impl Weighting for OffPolicyMask {
    fn weigh(&self, columns: &Columns, advantages: &[f64], weights: &mut Weights) -> Result<()> {
        let anchor = columns.anchor(self.anchor)?;
        for range in columns.ranges() {
            let on = range.clone().filter(|&t| columns.mask[t]);
            let (sum, count) =
                on.fold((0.0, 0.0), |(sum, n), t| (sum + anchor[t] - columns.logprobs[t], n + 1.0));
            if count > 0.0 && sum / count > self.threshold {
                for t in range.filter(|&t| advantages[t] < 0.0) {
                    weights.keep[t] = false;
                }
            }
        }
        Ok(())
    }
}

/// Rollouts whose mean `|rho - 1|`, `rho = old / rollout`, is above a bound lose the tokens whose ratio
/// already moved in the direction of the advantage; the others have weight `rho`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TotalVariationMask {
    /// Largest mean `|rho - 1|` that is left alone.
    pub upper: f64,
    /// Log-ratios are clamped to `±` this.
    pub clamp_log_ratio: Option<f64>,
}

impl Weighting for TotalVariationMask {
    fn weigh(&self, columns: &Columns, advantages: &[f64], weights: &mut Weights) -> Result<()> {
        let (old, rollout) = (columns.anchor(Anchor::Old)?, columns.anchor(Anchor::Rollout)?);
        let log = |t: usize| {
            let x = old[t] - rollout[t];
            self.clamp_log_ratio.map_or(x, |clamp| x.clamp(-clamp, clamp))
        };
        for range in columns.ranges() {
            let on: Vec<usize> = range.filter(|&t| columns.mask[t]).collect();
            let moved: f64 = on.iter().map(|&t| (log(t).exp() - 1.0).abs()).sum();
            let beyond = moved > self.upper * on.len() as f64;
            for t in on {
                let along = log(t) * advantages[t] > 0.0;
                weights.factors[t] *= if beyond && along { 0.0 } else { log(t).exp() };
                weights.keep[t] &= !(beyond && along);
            }
        }
        Ok(())
    }
}

/// M2PO (arXiv 2510.01161): the tokens of largest squared log-ratio (rollout to old) are dropped until the
/// mean square of the rest is below a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SecondMomentFilter {
    /// The mean square that must be undercut.
    pub threshold: f64,
}

impl Weighting for SecondMomentFilter {
    fn weigh(&self, columns: &Columns, _advantages: &[f64], weights: &mut Weights) -> Result<()> {
        let (old, rollout) = (columns.anchor(Anchor::Old)?, columns.anchor(Anchor::Rollout)?);
        let square = |t: &usize| (rollout[*t] - old[*t]).powi(2);
        let mut on: Vec<usize> = (0..columns.tokens()).filter(|&t| columns.mask[t]).collect();
        on.sort_by(|a, b| square(b).total_cmp(&square(a)).then(a.cmp(b)));
        let mut rest = ExactSum::default();
        on.iter().for_each(|t| rest.add(square(t)));
        for (dropped, t) in on.iter().enumerate() {
            if rest.value() / ((on.len() - dropped) as f64) < self.threshold {
                break;
            }
            weights.keep[*t] = false;
            rest.add(-square(t));
        }
        Ok(())
    }
}

/// Weights of rollouts that favour some and sum to the number of rollouts (ROLL).
#[derive(Debug, Clone, PartialEq)]
pub enum RowWeights {
    /// `1.5 - (length - shortest) / (longest - shortest + 1e-8)`.
    Shorter,
    /// `0.5 + 1.5 d`, with a signal `d` of one value per rollout.
    Harder(String),
}

impl Weighting for RowWeights {
    fn weigh(&self, columns: &Columns, _advantages: &[f64], weights: &mut Weights) -> Result<()> {
        let raw: Vec<f64> = match self {
            RowWeights::Shorter => {
                let lengths: Vec<f64> = columns
                    .ranges()
                    .map(|range| range.into_iter().filter(|&t| columns.mask[t]).count() as f64)
                    .collect();
                let shortest = lengths.iter().copied().fold(f64::INFINITY, f64::min);
                let longest = lengths.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                lengths.iter().map(|length| 1.5 - (length - shortest) / (longest - shortest + 1e-8)).collect()
            }
            RowWeights::Harder(signal) => {
                columns.rollout_signal(signal)?.iter().map(|d| 0.5 + 1.5 * d).collect()
            }
        };
        let scale = raw.len() as f64 / exact(raw.iter().copied());
        for (range, weight) in columns.ranges().zip(raw) {
            weights.factors[range].iter_mut().for_each(|factor| *factor *= weight * scale);
        }
        Ok(())
    }
}

/// A signal with one value per token, as a factor of the token losses (not of their denominators).
#[derive(Debug, Clone, PartialEq)]
pub struct TokenFactor(pub String);

impl Weighting for TokenFactor {
    fn weigh(&self, columns: &Columns, _advantages: &[f64], weights: &mut Weights) -> Result<()> {
        for (into, factor) in weights.factors.iter_mut().zip(columns.token_signal(&self.0)?) {
            *into *= factor;
        }
        Ok(())
    }
}
