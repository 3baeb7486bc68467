//! The step from which on a reward that is differentiated through the sampler has a gradient.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Field};

use super::AddSignals;
use crate::Result;
use crate::credit::{STEP, Unit};
use crate::objectives::denoising::Truncation;
use crate::random::RandomKey;

/// Adds `first_gradient_step`: how many policy steps of the rollout come before the first whose network gets a
/// gradient, drawn once per iteration and number of steps, and null in a rollout of less than two steps.
///
/// ```
/// use meed_operators::signals::{AddSignals, FirstGradientStep};
/// let operator = FirstGradientStep::of("gaussian", 0.84, 0.1, 0).expect("a known draw");
/// assert_eq!(operator.adds()[0].name(), "first_gradient_step");
/// assert!(FirstGradientStep::of("normal", 0.84, 0.1, 0).is_none());
/// ```
#[derive(Debug, Clone)]
pub struct FirstGradientStep {
    draw: Draw,
    seed: u64,
}

/// Numbers of steps are shares of the rollout's.
#[derive(Debug, Clone)]
enum Draw {
    Gaussian { mean: f64, std: f64 },
    Uniform,
    Last,
}

impl FirstGradientStep {
    /// The draw of this name: `gaussian` with mean and deviation as shares of the steps, `uniform` over all
    /// steps, or `fixed`, which is always the last. `None` where no draw is called so.
    pub fn of(draw: &str, mean: f64, std: f64, seed: u64) -> Option<Self> {
        let draw = match draw {
            "gaussian" => Draw::Gaussian { mean, std },
            "uniform" => Draw::Uniform,
            "fixed" => Draw::Last,
            _ => return None,
        };
        Some(FirstGradientStep { draw, seed })
    }

    fn first(&self, iteration: i64, steps: usize) -> Result<Option<i64>> {
        if steps < 2 {
            return Ok(None);
        }
        let truncation = match self.draw {
            Draw::Gaussian { mean, std } => {
                Truncation::Gaussian { mean: mean * steps as f64, std: std * steps as f64 }
            }
            Draw::Uniform => Truncation::Uniform { most: steps },
            Draw::Last => Truncation::Fixed { step: steps - 1 },
        };
        let key = RandomKey::new(self.seed, iteration as u64, "", "");
        Ok(Some(truncation.draw(steps, &key)? as i64))
    }
}

impl AddSignals for FirstGradientStep {
    fn name(&self) -> &str {
        "first_gradient_step"
    }

    fn reads(&self) -> Vec<String> {
        vec!["step_ends".to_owned()]
    }

    fn adds(&self) -> Vec<Field> {
        vec![Field::new("first_gradient_step", DataType::Int64, true)]
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let (steps, policy) = (unit.extent(&STEP)?, unit.policy_steps()?);
        let first = |row: usize| {
            let own = &policy[steps.rows[row]..steps.rows[row + 1]];
            self.first(unit.iteration(row), own.iter().filter(|&&is_policy| is_policy).count())
        };
        let firsts: Vec<Option<i64>> = (0..unit.rows()).map(first).collect::<Result<_>>()?;
        Ok(vec![Arc::new(Int64Array::from(firsts))])
    }
}
