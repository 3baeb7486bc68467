//! Quantiles of the standard normal distribution.

use meed_operators::Result;

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

/// Bisection on the distribution function, until no number lies between the bounds.
fn standard_normal(share: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        if below(middle) < share { low = middle } else { high = middle }
    }
}

/// The share of the standard normal distribution below `x`.
fn below(x: f64) -> f64 {
    if x > 0.0 { 1.0 - tail(x) } else { tail(-x) }
}

/// The share above `x >= 0`: the series around 0 where it converges fast, else the continued fraction.
fn tail(x: f64) -> f64 {
    let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
    if x < 3.0 {
        let (mut term, mut sum) = (x, x);
        let mut odd = 3.0;
        while term > sum * f64::EPSILON * 0.1 {
            term *= x * x / odd;
            sum += term;
            odd += 2.0;
        }
        return 0.5 - density * sum;
    }
    let fraction = (1..=200).rev().fold(x, |below, k| x + f64::from(k) / below);
    density / fraction
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
