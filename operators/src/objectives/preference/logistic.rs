//! The logistic function and its relatives, without overflow, with derivatives.

/// `1 / (1 + exp(-x))`.
pub fn logistic(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}

/// `log(1 + exp(x))`.
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// `log(1 / (1 + exp(-x)))`.
pub fn log_sigmoid(x: f64) -> f64 {
    -softplus(-x)
}

/// Binary cross-entropy of `logistic(x)` with a label in `0..=1`, and its derivative with respect to `x`.
pub fn cross_entropy(x: f64, label: f64) -> (f64, f64) {
    (-label * log_sigmoid(x) - (1.0 - label) * log_sigmoid(-x), logistic(x) - label)
}

/// Softmax. Where no number is finite, all are 0.
pub fn softmax(logits: &[f64]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !top.is_finite() {
        return vec![0.0; logits.len()];
    }
    let weights: Vec<f64> = logits.iter().map(|x| (x - top).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// The soft value of a state, `beta * log sum_a exp(Q_a / beta)`: what `Q - beta * log pi` is, for every
/// action, under the policy that is optimal with an entropy bonus of `beta` ("From r to Q*", arXiv
/// 2404.12358, section 3).
///
/// ```
/// let value = meed_operators::objectives::preference::soft_value(&[1.0, 0.5, 0.0], 0.1);
/// assert!((value - 1.0006760444).abs() < 1e-9);
/// ```
pub fn soft_value(q: &[f64], beta: f64) -> f64 {
    let top = q.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = q.iter().map(|q| ((q - top) / beta).exp()).sum();
    top + beta * sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_arguments_do_not_overflow() {
        assert_eq!(logistic(1e4), 1.0);
        assert_eq!(logistic(-1e4), 0.0);
        assert_eq!(log_sigmoid(-1e4), -1e4);
        assert_eq!(softplus(-1e4), 0.0);
        assert_eq!(softmax(&[f64::NEG_INFINITY, 3.0]), [0.0, 1.0]);
        assert!((logistic(0.3) + logistic(-0.3) - 1.0).abs() < 1e-15);
    }
}
