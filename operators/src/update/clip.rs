//! Gradient clipping by the norm of all gradients together.

#[cfg(feature = "model")]
use rayon::prelude::*;

use crate::Error;
use crate::Result;

/// Elements of one partial sum. Partial sums are added in order, whoever computed them.
const CHUNK: usize = 16 * 1024;

/// Running sums inside a chunk: enough for the compiler to use vector registers.
const LANES: usize = 8;

/// Euclidean norm of all gradients together, accumulated in `f64` in an order that depends on the
/// lengths alone.
///
/// ```
/// use meed_operators::update::global_norm;
/// assert_eq!(global_norm(&[&[3.0], &[0.0, 4.0]]), 5.0);
/// ```
pub fn global_norm(gradients: &[&[f32]]) -> f64 {
    let squares = gradients.iter().map(|gradient| {
        #[cfg(feature = "model")]
        let parts: Vec<f64> = gradient.par_chunks(CHUNK).map(sum_of_squares).collect();
        #[cfg(not(feature = "model"))]
        let parts: Vec<f64> = gradient.chunks(CHUNK).map(sum_of_squares).collect();
        parts.iter().sum::<f64>()
    });
    squares.sum::<f64>().sqrt()
}

/// Scales all gradients so that their norm together is at most `max_norm`, and returns the norm before.
/// The factor is `max_norm / norm`; gradients whose norm is not larger keep their bits.
///
/// # Errors
/// A norm that is not finite, in which case nothing is changed.
pub fn clip_global_norm(gradients: &mut [&mut [f32]], max_norm: f64) -> Result<f64> {
    let norm = global_norm(&gradients.iter().map(|gradient| &**gradient).collect::<Vec<_>>());
    if !norm.is_finite() {
        return Err(Error::usage(
            "the gradient has a value that is not finite",
            "lower the learning rate, and look for ratios or advantages without bounds",
        ));
    }
    if norm > max_norm {
        let factor = (max_norm / norm) as f32;
        for gradient in gradients {
            gradient.iter_mut().for_each(|g| *g *= factor);
        }
    }
    Ok(norm)
}

fn sum_of_squares(values: &[f32]) -> f64 {
    let mut sums = [0.0; LANES];
    let mut chunks = values.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (sum, &value) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(value) * f64::from(value);
        }
    }
    let rest: f64 = chunks.remainder().iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_to_the_norm_and_returns_the_one_before() {
        let (mut a, mut b) = ([3.0, 0.0], [4.0]);
        assert_eq!(clip_global_norm(&mut [&mut a, &mut b], 1.0).unwrap(), 5.0);
        assert!((global_norm(&[&a, &b]) - 1.0).abs() < 1e-7);
        assert!((a[0] - 0.6).abs() < 1e-7 && (b[0] - 0.8).abs() < 1e-7);
    }

    #[test]
    fn keeps_the_bits_of_small_gradients() {
        let mut a = [0.1, 0.2];
        clip_global_norm(&mut [&mut a], 1.0).unwrap();
        assert_eq!(a, [0.1, 0.2]);
    }

    #[test]
    fn small_terms_are_not_lost_beside_large_ones() {
        let mut gradient = vec![1e-3_f32; 5 * CHUNK + 3];
        gradient[0] = 1e3;
        let wanted = (1e6 + f64::from(1e-3_f32).powi(2) * (gradient.len() - 1) as f64).sqrt();
        assert!((global_norm(&[&gradient]) - wanted).abs() < 1e-9);
    }

    #[test]
    fn refuses_what_is_not_finite_and_changes_nothing() {
        let mut a = [f32::NAN, 9.0];
        assert!(clip_global_norm(&mut [&mut a], 1.0).is_err());
        assert_eq!(a[1], 9.0);
    }
}
