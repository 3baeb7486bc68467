//! Losses of a critic: squared or Huber errors, clipped about the old value or not.

use super::aggregate::Aggregate;
use super::policy::Term;
use super::{Columns, Loss, over_rollouts};
use crate::Result;

/// How an error is lost.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum ErrorLoss {
    /// `e^2`.
    #[default]
    Squared,
    /// `e^2` up to `delta`, and linear with the same slope beyond; both branches doubled against the usual
    /// definition, so that `half` means the same for both.
    Huber {
        /// Where it becomes linear.
        delta: f64,
    },
    /// The same where the value is too small; where it is too large by more than `delta`, nothing is lost
    /// (POAD's release).
    OneSidedHuber {
        /// Where it becomes linear, or 0.
        delta: f64,
    },
}

impl ErrorLoss {
    /// Loss and derivative.
    pub fn of(self, e: f64) -> (f64, f64) {
        match self {
            ErrorLoss::OneSidedHuber { delta } if e > delta => (0.0, 0.0),
            ErrorLoss::Huber { delta } | ErrorLoss::OneSidedHuber { delta } if e.abs() > delta => {
                (2.0 * delta * (e.abs() - delta / 2.0), 2.0 * delta * e.signum())
            }
            _ => (e * e, 2.0 * e),
        }
    }
}

/// `coef * aggregate(max(loss(v - R), loss(clamp(v, v_old - clip, v_old + clip) - R)))`, halved where said so.
///
/// Its parts: `value_loss`, `value_clip_fraction` (the clipped branch acted), `value_outside_fraction` (the
/// value moved beyond the clip).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueLoss {
    /// Coefficient.
    pub coef: f64,
    /// How far the value may move from the old one without the clipped branch acting.
    pub clip: Option<f64>,
    /// Whether token losses are halved.
    pub half: bool,
    /// How an error is lost.
    pub error: ErrorLoss,
    /// Its own aggregate; that of the policy loss where absent.
    pub aggregate: Option<Aggregate>,
}

impl Default for ValueLoss {
    fn default() -> Self {
        ValueLoss { coef: 1.0, clip: None, half: true, error: ErrorLoss::Squared, aggregate: None }
    }
}

impl ValueLoss {
    /// Loss of one value, its derivative, and whether the clipped branch acted.
    pub fn token(&self, value: f64, old: f64, target: f64) -> (f64, f64, bool) {
        let scale = if self.half { 0.5 } else { 1.0 };
        let (free, slope) = self.error.of(value - target);
        let Some(clip) = self.clip else {
            return (scale * free, scale * slope, false);
        };
        let bounded = value.clamp(old - clip, old + clip);
        let (clipped, _) = self.error.of(bounded - target);
        if clipped > free { (scale * clipped, 0.0, true) } else { (scale * free, scale * slope, false) }
    }
}

impl Term for ValueLoss {
    fn add(&self, columns: &Columns, aggregate: &Aggregate, loss: &mut Loss) -> Result<()> {
        let values = columns.needed(&columns.values, "token_values")?;
        let old = columns.old_values.as_deref().unwrap_or(values);
        let returns = columns.needed(&columns.returns, "token_returns")?;
        let aggregate = self.aggregate.as_ref().unwrap_or(aggregate);
        let coefficients = aggregate.coefficients(columns, &columns.counted())?;
        let gradients = loss.values.get_or_insert_with(|| vec![0.0; columns.tokens()]);
        let fractions = aggregate.mean().coefficients(columns, &columns.counted())?;
        let token = |t: usize| self.token(values[t], old[t], returns[t]);
        for t in (0..columns.tokens()).filter(|&t| coefficients[t] != 0.0) {
            gradients[t] += self.coef * coefficients[t] * token(t).1;
        }
        let sum = |value: &dyn Fn(usize) -> f64| {
            over_rollouts(columns, |t| if coefficients[t] == 0.0 { 0.0 } else { value(t) })
        };
        let total = sum(&|t| coefficients[t] * token(t).0);
        let clipped = sum(&|t| fractions[t] * f64::from(u8::from(token(t).2)));
        let moved = |t: usize| self.clip.is_some_and(|clip| (values[t] - old[t]).abs() > clip);
        let outside = sum(&|t| fractions[t] * f64::from(u8::from(moved(t))));
        loss.value += self.coef * total;
        loss.parts.insert("value_loss".into(), total);
        loss.parts.insert("value_clip_fraction".into(), clipped);
        loss.parts.insert("value_outside_fraction".into(), outside);
        Ok(())
    }
}
