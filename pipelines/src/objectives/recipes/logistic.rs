//! The logistic function and the cross-entropy of a logit.

/// `1 / (1 + exp(-x))`.
pub(super) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `-target log sigmoid(logit) - (1 - target) log(1 - sigmoid(logit))`; its derivative is
/// `sigmoid(logit) - target`.
pub(super) fn cross_entropy(logit: f64, target: f64) -> f64 {
    logit.max(0.0) + (-logit.abs()).exp().ln_1p() - target * logit
}
