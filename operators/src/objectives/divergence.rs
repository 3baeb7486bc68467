//! Estimators of the divergence from a reference policy, and their term in the loss.

use super::aggregate::Aggregate;
use super::ratio::Anchor;
use super::{Columns, Loss, over_rollouts};
use crate::Result;

/// An estimator of `KL(policy || reference)` from one sampled token (Schulman 2020, "Approximating KL
/// divergence"), with `d = log pi - log pi_ref`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Estimator {
    /// `d`.
    K1,
    /// `d^2 / 2`.
    K2,
    /// `exp(-d) - 1 + d`.
    #[default]
    K3,
    /// `|d|`.
    Abs,
}

/// What multiplies an estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Importance {
    /// Nothing.
    #[default]
    None,
    /// The ratio of the current policy to an anchor, with its gradient. With [`Anchor::Current`] it is
    /// 1, and adds the score-function gradient.
    Ratio(Anchor),
    /// The ratio, held fixed.
    DetachedRatio(Anchor),
}

/// A divergence per token, and its coefficient in the loss.
///
/// ```
/// use meed_operators::objectives::{Divergence, Estimator};
/// let estimate = |estimator| Divergence { estimator, ..Divergence::default() }.token(-1.0, -1.5).0;
/// assert_eq!(estimate(Estimator::K1), 0.5);
/// assert_eq!(estimate(Estimator::K2), 0.125);
/// assert!((estimate(Estimator::K3) - 0.1065306597).abs() < 1e-9);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Divergence {
    /// Coefficient in the loss.
    pub coef: f64,
    /// The estimator.
    pub estimator: Estimator,
    /// `d` is clamped to `±` this.
    pub clamp_log_ratio: Option<f64>,
    /// The estimate is clamped to `±` this.
    pub clamp_value: Option<f64>,
    /// The value of the estimator with the gradient of k2 (verl's `+` forms).
    pub straight_through: bool,
    /// What multiplies it.
    pub importance: Importance,
    /// Its own aggregate; that of the policy loss where absent.
    pub aggregate: Option<Aggregate>,
}

impl Divergence {
    /// The estimate for one token and its derivative with respect to `logprob`, without importance. The
    /// derivative is 0 beyond a clamp.
    pub fn token(&self, logprob: f64, ref_logprob: f64) -> (f64, f64) {
        self.weighted(logprob, ref_logprob, 1.0, false)
    }

    /// The estimate times a weight; `flows`: the weight is `exp(logprob - constant)`, with its gradient. The
    /// value is clamped with its weight; beyond either clamp nothing flows.
    fn weighted(&self, logprob: f64, ref_logprob: f64, weight: f64, flows: bool) -> (f64, f64) {
        let raw = logprob - ref_logprob;
        let d = self.clamp_log_ratio.map_or(raw, |clamp| raw.clamp(-clamp, clamp));
        let (value, slope) = match self.estimator {
            Estimator::K1 => (d, 1.0),
            Estimator::K2 => (d * d / 2.0, d),
            Estimator::K3 => ((-d).exp() - 1.0 + d, 1.0 - (-d).exp()),
            Estimator::Abs => (d.abs(), if d == 0.0 { 0.0 } else { d.signum() }),
        };
        let slope = if self.straight_through { raw } else { slope };
        let product = weight * value;
        let bounded = self.clamp_value.map_or(product, |clamp| product.clamp(-clamp, clamp));
        if (d != raw || bounded != product) && !self.straight_through {
            return (bounded, 0.0);
        }
        (bounded, weight * (slope + if flows { value } else { 0.0 }))
    }

    /// Estimates and derivatives of all tokens, importance included; also outside the mask.
    ///
    /// # Errors
    /// Reference log-probabilities, or an anchor, that the batch lacks.
    pub fn tokens(&self, columns: &Columns) -> Result<Vec<(f64, f64)>> {
        let reference = columns.needed(&columns.ref_logprobs, "token_ref_logprobs")?;
        let anchor = match self.importance {
            Importance::None => None,
            Importance::Ratio(anchor) | Importance::DetachedRatio(anchor) => Some(columns.anchor(anchor)?),
        };
        let flows = matches!(self.importance, Importance::Ratio(_));
        let token = |t: usize| {
            let weight = anchor.map_or(1.0, |anchor| (columns.logprobs[t] - anchor[t]).exp());
            self.weighted(columns.logprobs[t], reference[t], weight, flows)
        };
        Ok((0..columns.tokens()).map(token).collect())
    }

    /// Adds `coef * aggregate(KL)` to a loss, and the unscaled aggregate as the part `kl`.
    ///
    /// # Errors
    /// As [`Divergence::tokens`].
    pub fn add(&self, columns: &Columns, aggregate: &Aggregate, loss: &mut Loss) -> Result<()> {
        let aggregate = self.aggregate.as_ref().unwrap_or(aggregate);
        let coefficients = aggregate.coefficients(columns, &columns.counted())?;
        let tokens = self.tokens(columns)?;
        for t in (0..columns.tokens()).filter(|&t| coefficients[t] != 0.0) {
            loss.logprobs[t] += self.coef * coefficients[t] * tokens[t].1;
        }
        let share = |t: usize| if coefficients[t] == 0.0 { 0.0 } else { coefficients[t] * tokens[t].0 };
        let total = over_rollouts(columns, share);
        loss.value += self.coef * total;
        loss.parts.insert("kl".into(), total);
        Ok(())
    }
}
