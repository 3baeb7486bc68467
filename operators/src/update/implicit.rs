//! Gradients through a solution: how the optimum of an inner objective moves with its parameters.

use crate::{Error, Result};

/// `(-H)^-1 v` by a truncated Neumann series, `eta sum_{k = 0}^{terms} (I + eta H)^k v`, for a negative definite `H`
/// that is known by its products with vectors. It converges where `eta |H| < 2`; with `eta` below `1 / |H|` every
/// further term brings it nearer.
///
/// ```
/// use meed_operators::update::neumann_inverse;
/// let product = |v: &[f64]| vec![-2.0 * v[0], -0.5 * v[1]];
/// let inverse = neumann_inverse(&[1.0, 1.0], product, 0.4, 200)?;
/// assert!((inverse[0] - 0.5).abs() < 1e-12 && (inverse[1] - 2.0).abs() < 1e-12);
/// # Ok::<(), meed_operators::Error>(())
/// ```
///
/// # Errors
/// A series that diverges: the terms grow beyond all numbers.
pub fn neumann_inverse(
    v: &[f64],
    product: impl Fn(&[f64]) -> Vec<f64>,
    eta: f64,
    terms: usize,
) -> Result<Vec<f64>> {
    let mut term = v.to_vec();
    let mut sum = term.clone();
    for _ in 0..terms {
        let moved = product(&term);
        term.iter_mut().zip(moved).for_each(|(x, moved)| *x += eta * moved);
        sum.iter_mut().zip(&term).for_each(|(sum, x)| *sum += x);
    }
    if sum.iter().any(|x| !x.is_finite()) {
        return Err(Error::usage(
            "the Neumann series of the implicit gradient diverges",
            "lower eta below 1 over the largest curvature, or strengthen the regulariser of the inner objective",
        ));
    }
    Ok(sum.into_iter().map(|x| eta * x).collect())
}

/// `dJ/dphi = dJ/dtheta (-H)^-1 A` at an optimum `theta(phi)` of an inner objective: `outer` is `dJ/dtheta`,
/// `product` gives `H v` with `H` the inner objective's second derivative by `theta`, and `mixed` gives `v A` with
/// `A` its mixed derivative by `theta` and `phi` (BARFI, arXiv 2310.19007).
///
/// # Errors
/// As [`neumann_inverse`].
pub fn implicit_gradient(
    outer: &[f64],
    product: impl Fn(&[f64]) -> Vec<f64>,
    mixed: impl Fn(&[f64]) -> Vec<f64>,
    eta: f64,
    terms: usize,
) -> Result<Vec<f64>> {
    Ok(mixed(&neumann_inverse(outer, product, eta, terms)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Argmax over theta of `p phi_1 + (1 - p) phi_2 - 0.05 theta^2` with `p = sigmoid(theta)`.
    fn optimum(phi: [f64; 2]) -> f64 {
        let mut theta = 0.0_f64;
        for _ in 0..10_000 {
            let p = 1.0 / (1.0 + (-theta).exp());
            theta += p * (1.0 - p) * (phi[0] - phi[1]) - 0.1 * theta;
        }
        theta
    }

    #[test]
    fn the_numbers_of_the_section_and_of_differences_come_out() {
        let phi = [1.0, 0.5];
        let theta = optimum(phi);
        assert!((theta - 0.9883431007).abs() < 1e-9);
        let p = 1.0 / (1.0 + (-theta).exp());
        let slope = p * (1.0 - p);
        let curvature = slope * (1.0 - 2.0 * p) * (phi[0] - phi[1]) - 0.1;
        assert!((curvature + 0.1452187782).abs() < 1e-9);
        let gradient = implicit_gradient(
            &[slope],
            |v| vec![curvature * v[0]],
            |v| vec![slope * v[0], -slope * v[0]],
            5.0,
            60,
        )
        .unwrap();
        for (got, wanted) in gradient.iter().zip([0.2690621985, -0.2690621985]) {
            // The section's own last two digits are those of a rounded optimum.
            assert!((got - wanted).abs() < 1e-8, "{gradient:?}");
        }
        let outer = |first: f64| 1.0 / (1.0 + (-optimum([first, phi[1]])).exp());
        let difference = (outer(phi[0] + 1e-5) - outer(phi[0] - 1e-5)) / 2e-5;
        assert!((gradient[0] - difference).abs() < 1e-9);
    }

    #[test]
    fn few_terms_are_a_damped_inverse_and_too_large_steps_diverge() {
        let product = |v: &[f64]| vec![-2.0 * v[0]];
        let few = neumann_inverse(&[1.0], product, 0.1, 5).unwrap()[0];
        assert!(few > 0.0 && few < 0.5);
        let error = neumann_inverse(&[1.0], product, 10.0, 1000).unwrap_err();
        assert!(error.hint().contains("eta"));
    }
}
