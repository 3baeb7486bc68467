//! Rewards that steer a sampler: their gradient moves the mean of a step, or the velocity.

use super::Step;

/// How far Euphonium (arXiv 2602.04928) moves the mean of a step along the gradient of a process reward.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guidance {
    /// Factor of the gradient: 0.01 in the authors' script, which is `eta^2 / (2 beta)` with `beta` the weight
    /// of the divergence.
    pub scale: f64,
    /// Divide the gradient by its length.
    pub unit_length: bool,
    /// Multiply by the width of the step, too.
    pub per_width: bool,
}

impl Guidance {
    /// The step with its mean moved along the gradient of the reward at the latent. A gradient of 0 moves
    /// nothing. Log-probabilities of the result are those under guidance; the authors train with those of
    /// `step`, so that the policy learns to go where it was pushed.
    ///
    /// ```
    /// use meed_operators::objectives::denoising::{Guidance, Sampler};
    /// let step = Sampler::Dance { eta: 0.25 }.step(&[0.5, -1.0], &[0.2, 0.4], 0.8, 0.7, 0.9);
    /// let guidance = Guidance { scale: 0.01, unit_length: false, per_width: true };
    /// let guided = guidance.of(&step, &[3.0, -4.0], 0.1);
    /// assert!((guided.mean[0] - 0.480890625).abs() < 1e-12);
    /// let next = guided.sample(&[0.3, -0.6]);
    /// assert!((step.logprob(&next) - 1.484277342).abs() < 1e-9);
    /// assert!((guided.logprob(&next) - 1.506148374).abs() < 1e-9);
    /// ```
    pub fn of(&self, step: &Step, gradient: &[f64], width: f64) -> Step {
        let length = gradient.iter().map(|x| x * x).sum::<f64>().sqrt();
        let mut factor = self.scale;
        if self.unit_length {
            factor /= length + 1e-8;
        }
        if self.per_width {
            factor *= width;
        }
        let mean = step.mean.iter().zip(gradient).map(|(mean, slope)| mean + factor * slope);
        Step { mean: mean.collect(), ..step.clone() }
    }
}

/// The velocity that Flow-NRG (arXiv 2501.13918, equation 11) follows: `v - w t / (1 - t) dr/dx`. At `t` 1,
/// where the factor has no bound, it is `v`.
///
/// ```
/// use meed_operators::objectives::denoising::negative_reward_guidance;
/// let guided = negative_reward_guidance(&[0.1, -0.2], &[0.5, 1.0], 0.6, 2.0);
/// assert!((guided[0] + 1.4).abs() < 1e-12 && (guided[1] + 3.2).abs() < 1e-12);
/// assert_eq!(negative_reward_guidance(&[0.1], &[0.5], 1.0, 2.0), [0.1]);
/// ```
pub fn negative_reward_guidance(velocity: &[f64], gradient: &[f64], t: f64, weight: f64) -> Vec<f64> {
    let factor = if t >= 1.0 { 0.0 } else { weight * t / (1.0 - t) };
    velocity.iter().zip(gradient).map(|(v, slope)| v - factor * slope).collect()
}

/// The gradient of a reward that can only be asked for values, from probes in random directions `u`:
/// the mean of `(r(x + s u) - r(x - s u)) / (2 s) u`. Unbiased in `s` to second order where directions have
/// independent elements of mean 0 and variance 1. Without directions it is 0.
///
/// ```
/// use meed_operators::objectives::denoising::probed_gradient;
/// let reward = |x: &[f64]| 3.0 * x[0] - 4.0 * x[1];
/// let probes = [vec![1.0, 1.0], vec![1.0, -1.0]];
/// let gradient = probed_gradient(&[0.5, -1.0], &probes, 0.01, reward);
/// assert!((gradient[0] - 3.0).abs() < 1e-9 && (gradient[1] + 4.0).abs() < 1e-9);
/// ```
pub fn probed_gradient(
    at: &[f64],
    directions: &[Vec<f64>],
    size: f64,
    mut reward: impl FnMut(&[f64]) -> f64,
) -> Vec<f64> {
    let mut gradient = vec![0.0; at.len()];
    for direction in directions {
        let mut nudged = |size: f64| {
            let moved: Vec<f64> = at.iter().zip(direction).map(|(x, u)| x + size * u).collect();
            reward(&moved)
        };
        let slope = (nudged(size) - nudged(-size)) / (2.0 * size * directions.len() as f64);
        gradient.iter_mut().zip(direction).for_each(|(sum, u)| *sum += slope * u);
    }
    gradient
}
