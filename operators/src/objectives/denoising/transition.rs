//! One stochastic step: from a velocity to the next latent and its log-probability, and the gradient back.

use std::f64::consts::{FRAC_PI_2, PI};

/// How noise enters a deterministic flow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampler {
    /// Flow-GRPO (arXiv 2505.05470): the deviation grows with the noise that is left.
    Flow {
        /// Scale of the deviation.
        noise_level: f64,
    },
    /// DanceGRPO (arXiv 2505.07818): a constant deviation per unit of sigma.
    Dance {
        /// The deviation.
        eta: f64,
    },
    /// Flow-CPS (used by TP-GRPO, arXiv 2602.06422): noise takes the place of a part of the predicted noise,
    /// so that as much is left as the schedule says. Its log-probability is the negative square distance,
    /// without variance and constants.
    Cps {
        /// Share of the noise that is new, as an angle: 1 replaces all of it.
        noise_level: f64,
    },
}

/// Flow-GRPO's deviation at a noise level: `a sqrt(sigma / (1 - sigma))`. At sigma 1 the denominator takes
/// `second`, the second sigma of the schedule.
pub fn flow_deviation(noise_level: f64, sigma: f64, second: f64) -> f64 {
    noise_level * (sigma / (1.0 - if sigma == 1.0 { second } else { sigma })).sqrt()
}

/// One step: a Gaussian around a mean that is linear in the velocity.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Mean of the next latent.
    pub mean: Vec<f64>,
    /// Deviation of the next latent.
    pub std: f64,
    /// Deviation per square root of sigma: `std = deviation sqrt(sigma - next)`.
    pub deviation: f64,
    /// Derivative of an element of the mean with respect to that of the velocity.
    pub slope: f64,
    /// Whether the log-probability is the Gaussian's, or the negative square distance alone.
    pub gaussian: bool,
}

impl Sampler {
    /// The step from `sigma` to `next`, which is smaller; `second` is the schedule's second sigma.
    ///
    /// ```
    /// use meed_operators::objectives::denoising::Sampler;
    /// let step = Sampler::Flow { noise_level: 0.7 }.step(&[0.5, -1.0], &[0.2, 0.4], 0.8, 0.7, 0.9);
    /// assert!((step.deviation - 1.4).abs() < 1e-12);
    /// assert!((step.mean[0] - 0.41385).abs() < 1e-12);
    /// let next = step.sample(&[0.3, -0.6]);
    /// assert!((next[1] + 1.192931323).abs() < 1e-9);
    /// assert!((step.logprob(&next) + 0.216618223).abs() < 1e-9);
    /// ```
    pub fn step(&self, latent: &[f64], velocity: &[f64], sigma: f64, next: f64, second: f64) -> Step {
        let dt = next - sigma;
        let deviation = match *self {
            Sampler::Flow { noise_level } => flow_deviation(noise_level, sigma, second),
            Sampler::Dance { eta } => eta,
            Sampler::Cps { noise_level } => {
                let std = next * (noise_level * FRAC_PI_2).sin();
                let kept = (next * next - std * std).max(0.0).sqrt();
                // The clean part is x - sigma v, the noise x + (1 - sigma) v.
                let (of_latent, slope) = (1.0 - next + kept, kept * (1.0 - sigma) - sigma * (1.0 - next));
                let mean = latent.iter().zip(velocity).map(|(x, v)| of_latent * x + slope * v).collect();
                return Step { mean, std, deviation: std / (-dt).sqrt(), slope, gaussian: false };
            }
        };
        // Both drift by the score of the noised data, -(x + (1 - sigma) v) / sigma, times half the variance.
        let half = deviation * deviation / 2.0;
        let (of_latent, slope) = (1.0 + half / sigma * dt, (1.0 + half * (1.0 - sigma) / sigma) * dt);
        let mean = latent.iter().zip(velocity).map(|(x, v)| of_latent * x + slope * v).collect();
        Step { mean, std: deviation * (-dt).sqrt(), deviation, slope, gaussian: true }
    }
}

impl Step {
    /// The next latent, for standard normal noise.
    pub fn sample(&self, noise: &[f64]) -> Vec<f64> {
        self.mean.iter().zip(noise).map(|(mean, noise)| mean + self.std * noise).collect()
    }

    /// Log-probability of a next latent: the mean over its elements.
    pub fn logprob(&self, next: &[f64]) -> f64 {
        match self.gaussian {
            true => {
                -self.mean_square(next) / (2.0 * self.std * self.std) - self.std.ln() - 0.5 * (2.0 * PI).ln()
            }
            false => -self.mean_square(next),
        }
    }

    /// Derivative of [`Step::logprob`] with respect to each element of the velocity.
    pub fn logprob_gradient(&self, next: &[f64]) -> Vec<f64> {
        let scale = if self.gaussian { 1.0 / (self.std * self.std) } else { 2.0 };
        let per = scale * self.slope / self.mean.len() as f64;
        next.iter().zip(&self.mean).map(|(x, mean)| per * (x - mean)).collect()
    }

    /// Mean square distance from another step's mean: the signal `mean_shift` of objectives with a
    /// divergence.
    pub fn shift(&self, other: &Step) -> f64 {
        self.mean_square(&other.mean)
    }

    /// Derivative of [`Step::shift`] with respect to each element of this step's velocity.
    pub fn shift_gradient(&self, other: &Step) -> Vec<f64> {
        let per = 2.0 * self.slope / self.mean.len() as f64;
        self.mean.iter().zip(&other.mean).map(|(mean, other)| per * (mean - other)).collect()
    }

    fn mean_square(&self, latent: &[f64]) -> f64 {
        let squares = latent.iter().zip(&self.mean).map(|(x, mean)| (x - mean).powi(2));
        squares.sum::<f64>() / self.mean.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATENT: [f64; 2] = [0.5, -1.0];
    const VELOCITY: [f64; 2] = [0.2, 0.4];
    const NOISE: [f64; 2] = [0.3, -0.6];

    fn close(got: f64, wanted: f64) {
        assert!((got - wanted).abs() < 1e-9, "got {got}, expected {wanted}");
    }

    #[test]
    fn the_numbers_of_the_section_come_out() {
        let flow = Sampler::Flow { noise_level: 0.7 };
        let first = flow.step(&LATENT, &VELOCITY, 1.0, 0.9, 0.9);
        close(first.deviation, 2.213594362);
        close(first.mean[0], 0.3575);
        close(first.logprob(&first.sample(&NOISE)), -0.674763589);

        let dance = Sampler::Dance { eta: 0.3 }.step(&LATENT, &VELOCITY, 0.8, 0.7, 0.9);
        close(dance.std, 0.094868330);
        close(dance.mean[1], -1.034825);
        close(dance.sample(&NOISE)[0], 0.505422999);
        close(dance.logprob(&dance.sample(&NOISE)), 1.323826818);

        let cps = Sampler::Cps { noise_level: 0.7 }.step(&LATENT, &VELOCITY, 0.8, 0.7, 0.9);
        close(cps.std, 0.623704567);
        close(cps.mean[0], 0.273608409);
        close(cps.sample(&NOISE)[1], -1.062592622);
        close(cps.logprob(&cps.sample(&NOISE)), -0.087526662);

        let step = flow.step(&LATENT, &VELOCITY, 0.8, 0.7, 0.9);
        let moved = flow.step(&LATENT, &[0.25, 0.38], 0.8, 0.7, 0.9);
        let next = step.sample(&NOISE);
        close((moved.logprob(&next) - step.logprob(&next)).exp(), 0.996153654);
        assert!((moved.shift(&step) / (2.0 * step.deviation.powi(2)) - 5.73351084e-6).abs() < 1e-13);
    }

    #[test]
    fn gradients_are_those_of_the_velocity() {
        let cps = Sampler::Cps { noise_level: 0.7 };
        for sampler in [Sampler::Flow { noise_level: 0.7 }, Sampler::Dance { eta: 0.3 }, cps] {
            let at = |velocity: [f64; 2]| sampler.step(&LATENT, &velocity, 0.8, 0.7, 0.9);
            let (step, other) = (at(VELOCITY), at([0.1, 0.7]));
            let next = step.sample(&NOISE);
            let (logprob, shift) = (step.logprob_gradient(&next), step.shift_gradient(&other));
            for i in 0..2 {
                let nudged = |by: f64| {
                    let mut velocity = VELOCITY;
                    velocity[i] += by;
                    at(velocity)
                };
                let (up, down) = (nudged(1e-6), nudged(-1e-6));
                assert!((logprob[i] - (up.logprob(&next) - down.logprob(&next)) / 2e-6).abs() < 1e-7);
                assert!((shift[i] - (up.shift(&other) - down.shift(&other)) / 2e-6).abs() < 1e-8);
            }
        }
    }
}
