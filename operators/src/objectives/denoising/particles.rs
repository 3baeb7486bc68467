//! Particles that are resampled while they are denoised: which go on, and how even their weights are.

use rand::Rng;

use crate::random::RandomKey;

/// `(sum w)^2 / sum w^2`: how many equal weights are as uneven as these. 0 where all are 0.
///
/// ```
/// use meed_operators::objectives::denoising::effective_sample_size;
/// assert_eq!(effective_sample_size(&[0.5; 4]), 4.0);
/// assert_eq!(effective_sample_size(&[0.0, 2.0]), 1.0);
/// ```
pub fn effective_sample_size(weights: &[f64]) -> f64 {
    let (sum, squares): (f64, f64) =
        (weights.iter().sum(), weights.iter().map(|weight| weight * weight).sum());
    if squares > 0.0 { sum * sum / squares } else { 0.0 }
}

/// The particle that goes on in the place of each: drawn with replacement, by weight. A place's draw depends
/// on its key and number only. Where every weight is 0, all are equal.
///
/// ```
/// use meed_operators::objectives::denoising::resampled;
/// use meed_operators::random::RandomKey;
/// let key = RandomKey::new(7, 0, "prompt", "");
/// assert_eq!(resampled(&[0.0, 2.0, 0.0], &key), [1, 1, 1]);
/// assert_eq!(resampled(&[1.0, 2.0, 3.0], &key), resampled(&[1.0, 2.0, 3.0], &key));
/// ```
pub fn resampled(weights: &[f64], key: &RandomKey) -> Vec<usize> {
    let sum: f64 = weights.iter().sum();
    let share = |i: usize| if sum > 0.0 { weights[i] } else { 1.0 };
    let total = if sum > 0.0 { sum } else { weights.len() as f64 };
    let last = weights.iter().rposition(|&weight| weight > 0.0).unwrap_or(weights.len().saturating_sub(1));
    let place = |place: usize| {
        let mut left = key.at(place as u64).random::<f64>() * total;
        let found = (0..weights.len()).find(|&i| {
            left -= share(i);
            left < 0.0
        });
        found.unwrap_or(last)
    };
    (0..weights.len()).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_the_section_come_out() {
        let even = [54.598150033, 0.367879441, 1.0, 403.428793493];
        assert!((effective_sample_size(&even) - 1.273365333).abs() < 1e-8);
        let most = [148.413159103, 54.598150033, 7.389056099, 8103.083927575];
        assert!((effective_sample_size(&most) - 1.052203521).abs() < 1e-8);
        assert_eq!(effective_sample_size(&[0.0, 0.0]), 0.0);
    }

    #[test]
    fn particles_go_on_as_often_as_their_weights_say() {
        let weights = [1.0, 0.0, 3.0];
        let mut counts = [0.0; 3];
        for epoch in 0..4000 {
            let key = RandomKey::new(1, epoch, "prompt", "");
            resampled(&weights, &key).into_iter().for_each(|particle| counts[particle] += 1.0);
        }
        assert_eq!(counts[1], 0.0);
        assert!((counts[2] / (counts[0] + counts[2]) - 0.75_f64).abs() < 0.02, "{counts:?}");
        let key = RandomKey::new(1, 0, "prompt", "");
        assert!(resampled(&[0.0; 8], &key).iter().any(|&particle| particle > 0));
    }
}
