//! Rewards that are differentiated through the sampler: where the gradient is cut off.

use rand_distr::{Distribution, Normal, Uniform};

use crate::random::RandomKey;
use crate::{Error, Result};

/// How AlignProp (mihirp1998/AlignProp) chooses the first step whose network gets a gradient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Truncation {
    /// The rounded draw of a normal distribution.
    Gaussian {
        /// Its mean.
        mean: f64,
        /// Its deviation.
        std: f64,
    },
    /// Any number from 0 to this one.
    Uniform {
        /// The greatest.
        most: usize,
    },
    /// Always this one.
    Fixed {
        /// The step.
        step: usize,
    },
}

impl Truncation {
    /// The first step with a gradient, for a chain of so many: drawn until it is at least 1 and there is one.
    ///
    /// # Errors
    /// A distribution that gives no such number, or that is none.
    ///
    /// ```
    /// use meed_operators::objectives::denoising::Truncation;
    /// use meed_operators::random::RandomKey;
    /// let key = RandomKey::new(7, 0, "", "");
    /// let first = Truncation::Gaussian { mean: 42.0, std: 5.0 }.draw(50, &key)?;
    /// assert!((1..50).contains(&first));
    /// assert_eq!(Truncation::Fixed { step: 49 }.draw(50, &key)?, 49);
    /// assert!(Truncation::Fixed { step: 49 }.draw(20, &key).is_err());
    /// # Ok::<(), meed_operators::Error>(())
    /// ```
    pub fn draw(&self, steps: usize, key: &RandomKey) -> Result<usize> {
        let none = || {
            Error::usage(
                format!("{self:?} gives no step from 1 to {} of {steps}", steps.saturating_sub(1)),
                "the gradient begins at a step of the chain, after the first: set the mean, the greatest or the \
                 fixed step below the number of steps",
            )
        };
        let within = |step: f64| (1.0 <= step && step < steps as f64).then_some(step as usize);
        let mut generator = key.at(0);
        match *self {
            Truncation::Fixed { step } => within(step as f64),
            Truncation::Uniform { most } => {
                let steps = Uniform::new_inclusive(0, most).map_err(|_| none())?;
                (0..TRIES).find_map(|_| within(steps.sample(&mut generator) as f64))
            }
            Truncation::Gaussian { mean, std } => {
                let normal = Normal::new(mean, std).map_err(|_| none())?;
                (0..TRIES).find_map(|_| within(normal.sample(&mut generator).round()))
            }
        }
        .ok_or_else(none)
    }
}

/// Draws before a distribution is said to give nothing.
const TRIES: usize = 10_000;

/// The gradient of a reward of the last latent with respect to the network's parameters, through the steps from
/// `first` on only: earlier outputs of the network count as constants.
///
/// `backward` carries the gradient with respect to the latent after a step to the one before it, and adds what
/// the step's network contributes to the parameters' gradient.
///
/// # Errors
/// What `backward` fails with.
pub fn truncated_gradient(
    steps: usize,
    first: usize,
    after: Vec<f64>,
    mut backward: impl FnMut(usize, Vec<f64>, &mut Vec<f64>) -> Result<Vec<f64>>,
) -> Result<Vec<f64>> {
    let mut parameters = Vec::new();
    let mut gradient = after;
    for step in (first..steps).rev() {
        gradient = backward(step, gradient, &mut parameters)?;
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradients_of_the_section_come_out() {
        // x' = 0.9 x + 0.2 theta x from 1, with reward -(x - 2)^2 of the fourth.
        let (theta, steps) = (0.8, 4);
        let latents: Vec<f64> =
            std::iter::successors(Some(1.0), |x| Some((0.9 + 0.2 * theta) * x)).take(steps + 1).collect();
        assert!((latents[4] - 1.262476960).abs() < 1e-9);
        for (first, wanted) in
            [1.405442786, 1.054082089, 0.702721393, 0.351360696, 0.0].into_iter().enumerate()
        {
            let last = vec![-2.0 * (latents[4] - 2.0)];
            let gradient = truncated_gradient(steps, first, last, |step, after, parameters| {
                parameters.resize(1, 0.0);
                parameters[0] += after[0] * 0.2 * latents[step];
                Ok(vec![after[0] * (0.9 + 0.2 * theta)])
            })
            .unwrap();
            assert!((gradient.first().unwrap_or(&0.0) - wanted).abs() < 1e-9, "from {first}: {gradient:?}");
        }
    }

    #[test]
    fn draws_follow_their_distribution() {
        let draw = |truncation: Truncation, epoch: u64| {
            truncation.draw(50, &RandomKey::new(3, epoch, "", "")).unwrap() as f64
        };
        let mean =
            |truncation: Truncation| (0..2000).map(|epoch| draw(truncation, epoch)).sum::<f64>() / 2000.0;
        // What is drawn at 50 or above is drawn again, which takes a little off the mean.
        assert!((mean(Truncation::Gaussian { mean: 42.0, std: 5.0 }) - 41.4).abs() < 0.5);
        assert!((mean(Truncation::Uniform { most: 50 }) - 25.0).abs() < 1.5);
        assert!(
            Truncation::Gaussian { mean: 42.0, std: f64::NAN }
                .draw(50, &RandomKey::new(3, 0, "", ""))
                .is_err()
        );
    }
}
