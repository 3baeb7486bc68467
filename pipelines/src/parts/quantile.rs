//! Quantiles of the standard normal distribution.

use meed_operators::Result;
use statrs::distribution::{ContinuousCDF, Normal};

use crate::parameters::Parameters;

/// The quantile of the standard normal distribution at the share that a parameter names.
///
/// # Errors
/// A share outside of `0..1`.
pub fn normal_quantile(parameters: &Parameters, name: &str) -> Result<f64> {
    let share = parameters.number(name)?;
    if share > 0.0 && share < 1.0 {
        Ok(standard_normal(share))
    } else {
        Err(parameters.unknown(name, &["a number between 0 and 1"]))
    }
}

fn standard_normal(share: f64) -> f64 {
    Normal::standard().inverse_cdf(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_tables() {
        for (share, wanted) in [
            (0.5, 0.0),
            (0.85, 1.0364333894937894),
            (0.975, 1.9599639845400536),
            (0.15, -1.0364333894937894),
            (0.0001, -3.71901648545568),
            (0.999999, 4.753424308817089),
        ] {
            let got = standard_normal(share);
            assert!((got - wanted).abs() < 1e-9, "{share}: {got}, expected {wanted}");
        }
    }
}
