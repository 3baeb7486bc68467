//! Shrink and perturb: a warm start between the old weights and fresh ones.

use rand_distr::{Distribution, Normal};

use crate::random::RandomKey;
use crate::{Error, Result};

/// Weights that draw from one generator, so that long weights are as cheap to draw as short ones.
const BLOCK: usize = 4096;

/// `w <- shrink * w + perturb * fresh`, before training on new data; the optimiser begins anew.
///
/// Ash & Adams 2020, On Warm-Starting Neural Network Training, arXiv 1910.08475; their code has
/// `shrink = 0.4`, `perturb = 0.1`. `shrink = 1`, `perturb = 0` is a plain warm start and the reverse a
/// cold one. `fresh` is what the model's initialiser draws, see [`fresh_weights`]. Pretrained weights do
/// not survive it: use it on adapters and heads.
///
/// ```
/// use meed_operators::update::shrink_and_perturb;
/// let mut weights = [1.5];
/// shrink_and_perturb(&mut weights, &[-0.2], 0.4, 0.1)?;
/// assert!((weights[0] - 0.58).abs() < 1e-7);
/// # Ok::<(), meed_operators::Error>(())
/// ```
///
/// # Errors
/// Lists of different lengths.
pub fn shrink_and_perturb(weights: &mut [f32], fresh: &[f32], shrink: f64, perturb: f64) -> Result<()> {
    if weights.len() != fresh.len() {
        return Err(Error::usage(
            format!("{} fresh weights for {} old ones", fresh.len(), weights.len()),
            "draw as many as there are",
        ));
    }
    for (weight, fresh) in weights.iter_mut().zip(fresh) {
        *weight = (shrink * f64::from(*weight) + perturb * f64::from(*fresh)) as f32;
    }
    Ok(())
}

/// Normal noise around 0 for a weight: a function of the key, the weight's name and the position.
///
/// # Errors
/// A deviation that is negative or not finite.
pub fn fresh_weights(key: RandomKey, name: &str, len: usize, std: f64) -> Result<Vec<f32>> {
    let normal = Normal::new(0.0, std).ok().filter(|_| std >= 0.0).ok_or_else(|| {
        Error::usage(format!("{std} is no standard deviation"), "use a finite number that is not negative")
    })?;
    let key = key.within(name);
    let mut values = Vec::with_capacity(len);
    for block in 0..len.div_ceil(BLOCK) {
        let mut random = key.at(block as u64);
        values
            .extend((block * BLOCK..len.min((block + 1) * BLOCK)).map(|_| normal.sample(&mut random) as f32));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_depends_on_key_and_name_alone() {
        let key = RandomKey::new(1, 0, "", "");
        let drawn = fresh_weights(key, "head", 3 * BLOCK, 0.5).unwrap();
        assert_eq!(drawn[..BLOCK + 9], fresh_weights(key, "head", BLOCK + 9, 0.5).unwrap()[..]);
        assert_ne!(drawn, fresh_weights(key, "other", 3 * BLOCK, 0.5).unwrap());
        assert_ne!(drawn, fresh_weights(RandomKey::new(2, 0, "", ""), "head", 3 * BLOCK, 0.5).unwrap());
        let mean = drawn.iter().map(|&x| f64::from(x)).sum::<f64>() / drawn.len() as f64;
        let square = drawn.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / drawn.len() as f64;
        assert!(mean.abs() < 0.02 && (square.sqrt() - 0.5).abs() < 0.02, "{mean} {square}");
    }

    #[test]
    fn refuses_what_does_not_fit() {
        assert!(shrink_and_perturb(&mut [1.0, 2.0], &[1.0], 0.4, 0.1).is_err());
        let key = RandomKey::new(1, 0, "", "");
        assert!(fresh_weights(key, "w", 1, -1.0).is_err() && fresh_weights(key, "w", 1, f64::NAN).is_err());
    }
}
