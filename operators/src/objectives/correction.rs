//! Off-policy corrections: weights for the gap between the policy that sampled and the one that trains.

use super::policy::{Weighting, Weights};
use super::ratio::{Anchor, bounded};
use super::{Columns, over_rollouts};
use crate::Result;

/// Tokens that a ratio or statistic is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// Each token's own.
    #[default]
    Token,
    /// The sum of logarithms over the rollout: the product of its ratios.
    Sum,
    /// The mean of logarithms over the rollout: the geometric mean.
    Mean,
    /// The largest of the rollout.
    Max,
    /// Each token's own, and one outside drops the rollout.
    Any,
    /// The mean of logarithms over each run of trainable tokens.
    Segment,
}

/// What is compared with the bounds, with `x = log(numerator / rollout)`. The estimators k1 and k3 are those of
/// the divergence of the rollout policy from the numerator, unless `reversed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Statistic {
    /// `exp(x)`; pooled in the log domain.
    #[default]
    Ratio,
    /// `-x`: rollout over numerator.
    K1,
    /// `x^2 / 2`.
    K2,
    /// `exp(x) - 1 - x`.
    K3,
    /// Difference of the probabilities.
    Probability,
}

/// What happens outside the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outside {
    /// The weight is clamped to them (truncated importance sampling).
    #[default]
    Clamp,
    /// The tokens are dropped: IcePop where there is a weight, a mask where there is none.
    Drop,
}

/// Weights `exp(old - rollout)` and masks, detached. Dropped tokens stay in the denominators unless
/// `uncounted`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correction {
    /// The policy in the numerator: [`Anchor::Old`], or [`Anchor::Current`] (held fixed).
    pub numerator: Anchor,
    /// Level of the weight that multiplies token losses; none for a mere mask.
    pub weight: Option<Level>,
    /// What is compared with the bounds.
    pub statistic: Statistic,
    /// Level of the statistic.
    pub level: Level,
    /// Lower bound, closed.
    pub lower: f64,
    /// Upper bound, closed.
    pub upper: f64,
    /// What happens outside.
    pub outside: Outside,
    /// Log-ratios are clamped to `±` this first; pooled sums too.
    pub clamp_log_ratio: Option<f64>,
    /// Weights are divided by their mean (over tokens, or over rollouts where they share one).
    pub batch_normalize: bool,
    /// Statistics of a rollout are taken over the tokens that earlier corrections kept.
    pub of_kept: bool,
    /// Dropped tokens leave the denominators too.
    pub uncounted: bool,
    /// k1 is `x` and k3 is `exp(-x) - 1 + x` (AReaL).
    pub reversed: bool,
}

impl Default for Correction {
    fn default() -> Self {
        Correction {
            numerator: Anchor::Old,
            weight: None,
            statistic: Statistic::Ratio,
            level: Level::Token,
            lower: f64::NEG_INFINITY,
            upper: f64::INFINITY,
            outside: Outside::Clamp,
            clamp_log_ratio: None,
            batch_normalize: false,
            of_kept: false,
            uncounted: false,
            reversed: false,
        }
    }
}

impl Correction {
    /// Truncated importance sampling: weights clamped to `lower..=upper`.
    pub fn truncated(level: Level, lower: f64, upper: f64) -> Self {
        Correction { weight: Some(level), level, lower, upper, ..Correction::default() }
    }

    /// IcePop: weights, and 0 outside `lower..=upper`.
    pub fn icepop(level: Level, lower: f64, upper: f64) -> Self {
        Correction { outside: Outside::Drop, ..Correction::truncated(level, lower, upper) }
    }

    /// A mask: tokens whose statistic is outside `lower..=upper` are dropped, the others keep weight 1.
    pub fn mask(statistic: Statistic, level: Level, lower: f64, upper: f64) -> Self {
        Correction { statistic, level, lower, upper, outside: Outside::Drop, ..Correction::default() }
    }

    /// Log-ratios of numerator to rollout; 0 outside the mask.
    fn log_ratios(&self, columns: &Columns) -> Result<Vec<f64>> {
        let (numerator, rollout) = (columns.anchor(self.numerator)?, columns.anchor(Anchor::Rollout)?);
        let x = |t: usize| if columns.mask[t] { self.clamped(numerator[t] - rollout[t]) } else { 0.0 };
        Ok((0..columns.tokens()).map(x).collect())
    }

    fn clamped(&self, x: f64) -> f64 {
        self.clamp_log_ratio.map_or(x, |clamp| x.clamp(-clamp, clamp))
    }

    fn token_statistics(&self, columns: &Columns, x: &[f64]) -> Result<Vec<f64>> {
        let sign = if self.reversed { -1.0 } else { 1.0 };
        Ok(match self.statistic {
            Statistic::Ratio => x.to_vec(),
            Statistic::K1 => x.iter().map(|x| -sign * x).collect(),
            Statistic::K2 => x.iter().map(|x| x * x / 2.0).collect(),
            Statistic::K3 => x.iter().map(|x| (sign * x).exp() - 1.0 - sign * x).collect(),
            Statistic::Probability => {
                let (numerator, rollout) =
                    (columns.anchor(self.numerator)?, columns.anchor(Anchor::Rollout)?);
                numerator.iter().zip(rollout).map(|(a, b)| a.exp() - b.exp()).collect()
            }
        })
    }
}

/// Values pooled at a level, at every token; over the tokens that `inside` says.
fn pooled(columns: &Columns, values: &[f64], level: Level, inside: &[bool]) -> Vec<f64> {
    let mut pooled = values.to_vec();
    let spans = match level {
        Level::Token | Level::Any => return pooled,
        Level::Segment => columns.segments(),
        _ => columns.ranges().collect(),
    };
    for span in spans {
        let on = || span.clone().filter(|&t| inside[t]).map(|t| values[t]);
        let count = on().count();
        let value = match level {
            Level::Sum => on().sum(),
            Level::Max => on().fold(f64::NEG_INFINITY, f64::max),
            _ => on().sum::<f64>() / count as f64,
        };
        // A span with nothing in it has no statistic: nothing is outside.
        pooled[span].fill(if count == 0 { 0.0 } else { value });
    }
    pooled
}

impl Weighting for Correction {
    fn weigh(&self, columns: &Columns, _advantages: &[f64], weights: &mut Weights) -> Result<()> {
        let x = self.log_ratios(columns)?;
        if let Some(level) = self.weight {
            let logs = pooled(columns, &x, level, &columns.mask);
            let mut factors: Vec<f64> = logs.iter().map(|&log| self.clamped(log).exp()).collect();
            if self.outside == Outside::Clamp {
                factors.iter_mut().for_each(|w| *w = bounded(*w, self.lower, self.upper));
            }
            if self.batch_normalize {
                let mean = mean_weight(columns, &factors, level);
                factors.iter_mut().for_each(|w| *w /= mean);
            }
            weights.factors.iter_mut().zip(&factors).for_each(|(into, w)| *into *= w);
        }
        if self.outside == Outside::Clamp {
            return Ok(());
        }
        let inside: Vec<bool> = match self.of_kept {
            true => columns.mask.iter().zip(&weights.keep).map(|(on, keep)| *on && *keep).collect(),
            false => columns.mask.clone(),
        };
        let statistics = pooled(columns, &self.token_statistics(columns, &x)?, self.level, &inside);
        let fits = |t: usize| {
            let value = if self.statistic == Statistic::Ratio { statistics[t].exp() } else { statistics[t] };
            !inside[t] || (value >= self.lower && value <= self.upper)
        };
        for range in columns.ranges() {
            let row = self.level != Level::Any || range.clone().all(fits);
            for t in range {
                if !(row && fits(t)) {
                    weights.keep[t] = false;
                    if self.weight.is_some() {
                        weights.factors[t] = 0.0;
                    }
                    if self.uncounted {
                        weights.counted[t] = 0.0;
                    }
                }
            }
        }
        Ok(())
    }
}

fn mean_weight(columns: &Columns, factors: &[f64], level: Level) -> f64 {
    let mut on = columns.mask.clone();
    if matches!(level, Level::Sum | Level::Mean | Level::Max) {
        // Rollouts share one weight: each counts once, by its first trainable token.
        for range in columns.ranges() {
            let first = range.clone().find(|&t| on[t]);
            range.for_each(|t| on[t] = Some(t) == first);
        }
    }
    let count = on.iter().filter(|&&on| on).count() as f64;
    over_rollouts(columns, |t| if on[t] { factors[t] } else { 0.0 }) / count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(x: &[f64]) -> Columns {
        Columns {
            offsets: vec![0, x.len()],
            mask: vec![true; x.len()],
            logprobs: x.iter().map(|x| x - 2.0).collect(),
            rollout_logprobs: Some(vec![-2.0; x.len()]),
            ..Columns::default()
        }
    }

    fn weights(correction: Correction, columns: &Columns) -> Weights {
        let mut weights = Weights::of(columns);
        correction.weigh(columns, &[], &mut weights).unwrap();
        weights
    }

    #[test]
    fn the_worked_example_of_rollout_correction() {
        let columns = columns(&[0.1, -0.8, 1.2]);
        let token = weights(Correction::truncated(Level::Token, 0.0, 2.0), &columns).factors;
        for (got, want) in token.iter().zip([1.10517092, 0.44932896, 2.0]) {
            assert!((got - want).abs() < 1e-8);
        }
        let sequence = weights(Correction::truncated(Level::Sum, 0.0, 2.0), &columns).factors;
        assert!((sequence[1] - 1.6487212707).abs() < 1e-9);
    }

    #[test]
    fn one_token_outside_drops_the_rollout_or_only_itself() {
        let columns = columns(&[0.1, -0.8, 1.2]);
        let any = weights(Correction::mask(Statistic::Ratio, Level::Any, 0.5, 4.0), &columns);
        assert_eq!(any.keep, [false; 3]);
        let token = weights(Correction::mask(Statistic::Ratio, Level::Token, 0.5, 4.0), &columns);
        assert_eq!(token.keep, [true, false, true]);
        assert_eq!(token.factors, [1.0; 3]);
        let icepop = weights(Correction::icepop(Level::Token, 0.5, 4.0), &columns);
        assert_eq!(icepop.factors[1], 0.0);
        assert_eq!(icepop.counted, [1.0; 3]);
    }
}
