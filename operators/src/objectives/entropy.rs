//! Entropy in the loss: a bonus, fixed or steered towards a target.

use super::aggregate::Aggregate;
use super::policy::Term;
use super::{Columns, Loss, over_rollouts};
use crate::Result;

/// `-coef * aggregate(H)`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EntropyBonus {
    /// Coefficient.
    pub coef: f64,
    /// Its own aggregate; that of the policy loss where absent.
    pub aggregate: Option<Aggregate>,
}

impl Term for EntropyBonus {
    fn add(&self, columns: &Columns, aggregate: &Aggregate, loss: &mut Loss) -> Result<()> {
        let entropies = columns.needed(&columns.entropies, "token_entropies")?;
        let aggregate = self.aggregate.as_ref().unwrap_or(aggregate);
        let coefficients = aggregate.coefficients(columns, &columns.counted())?;
        let gradients = loss.entropies.get_or_insert_with(|| vec![0.0; columns.tokens()]);
        gradients.iter_mut().zip(&coefficients).for_each(|(into, share)| *into -= self.coef * share);
        let share = |t: usize| if coefficients[t] == 0.0 { 0.0 } else { coefficients[t] * entropies[t] };
        let total = over_rollouts(columns, share);
        loss.value -= self.coef * total;
        loss.parts.insert("entropy".into(), total);
        Ok(())
    }
}

/// A coefficient that moves by a fixed step towards a target entropy, and acts only while the entropy is at or
/// below it (TRL).
///
/// ```
/// use meed_operators::objectives::EntropyController;
/// let mut controller = EntropyController { coef: 0.0, step: 0.005, target: 0.2, least: 0.0, most: 1.0 };
/// assert_eq!(controller.update(0.1), 0.005);
/// assert_eq!(controller.update(0.3), 0.0);
/// assert_eq!(controller.coef, 0.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EntropyController {
    /// The coefficient now.
    pub coef: f64,
    /// Change per step.
    pub step: f64,
    /// Entropy that is aimed at.
    pub target: f64,
    /// Lower bound of the coefficient.
    pub least: f64,
    /// Upper bound of the coefficient.
    pub most: f64,
}

impl EntropyController {
    /// Moves the coefficient after an entropy was measured, and returns the one to use now.
    pub fn update(&mut self, entropy: f64) -> f64 {
        let change = if entropy < self.target { self.step } else { -self.step };
        self.coef = (self.coef + change).clamp(self.least, self.most);
        if entropy <= self.target { self.coef } else { 0.0 }
    }
}
