//! Log-probabilities of a proximal policy between the one that sampled and the current one.

/// How the two are mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mixture {
    /// Log-probabilities are mixed.
    LogLinear,
    /// Probabilities are mixed.
    Linear,
}

/// The proximal log-probability of one token (AReaL): `alpha = (proximal - behaviour) / (current -
/// behaviour)`, clamped to `0..=1`, of the way from the rollout's log-probability to the current one. A
/// negative behaviour version marks tokens that no policy wrote; they keep the rollout's.
///
/// ```
/// use meed_operators::objectives::proximal::{Mixture, proximal};
/// assert_eq!(proximal(Mixture::LogLinear, -1.0, -2.0, 2.0, 3.0, 4.0), -1.5);
/// assert_eq!(proximal(Mixture::LogLinear, -1.0, -2.0, 3.0, 3.0, 4.0), -1.0);
/// ```
pub fn proximal(
    mixture: Mixture,
    rollout: f64,
    logprob: f64,
    behaviour_version: f64,
    proximal_version: f64,
    current_version: f64,
) -> f64 {
    let span = current_version - behaviour_version;
    if behaviour_version < 0.0 || span <= 0.0 {
        return rollout;
    }
    let alpha = ((proximal_version - behaviour_version) / span).clamp(0.0, 1.0);
    match mixture {
        Mixture::LogLinear => rollout + alpha * (logprob - rollout),
        Mixture::Linear => ((1.0 - alpha) * rollout.exp() + alpha * logprob.exp()).ln(),
    }
}
