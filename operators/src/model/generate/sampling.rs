//! The distribution over the next token, and a draw from it.

use rand::RngCore;

use crate::policy::Sampling;
use crate::random::RandomKey;
use crate::{Error, Result};

/// The softmax of a row of logits at a temperature, in 64-bit floats and in the order of token ids.
#[derive(Debug, Default)]
pub(super) struct Distribution {
    /// `e^(z - max)` of every token.
    weights: Vec<f64>,
    /// Their sum.
    total: f64,
    /// `max` of the logits over temperature.
    highest: f64,
    /// Logits over temperature.
    inverse_temperature: f64,
    entropy: f64,
}

impl Distribution {
    /// Takes up a row of logits; a temperature of 0 counts as 1.
    ///
    /// # Errors
    /// Logits that are not finite.
    pub(super) fn set(&mut self, logits: &[f32], temperature: f64) -> Result<()> {
        self.inverse_temperature = if temperature == 0.0 { 1.0 } else { 1.0 / temperature };
        let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        self.highest = f64::from(highest) * self.inverse_temperature;
        self.weights.clear();
        let (mut total, mut moment) = (0.0, 0.0);
        for logit in logits {
            let below = f64::from(*logit) * self.inverse_temperature - self.highest;
            let weight = below.exp();
            self.weights.push(weight);
            total += weight;
            // e^-inf * -inf is not a number, though its limit is 0.
            moment += if weight == 0.0 { 0.0 } else { weight * below };
        }
        if !total.is_finite() {
            return Err(Error::usage(
                "the model's logits are not finite",
                "its weights have diverged or are damaged; lower the learning rate or load a checkpoint",
            ));
        }
        self.total = total;
        self.entropy = (total.ln() - moment / total).max(0.0);
        Ok(())
    }

    /// Log-probability of a token, given its logit.
    pub(super) fn logprob(&self, logit: f32) -> f64 {
        f64::from(logit) * self.inverse_temperature - self.highest - self.total.ln()
    }

    /// Entropy in nats.
    pub(super) fn entropy(&self) -> f64 {
        self.entropy
    }

    /// A token: the most probable one (the lowest id of several) at temperature 0, otherwise by inversion
    /// of the cumulative distribution over the kept tokens in the order of their ids. Of `top_k` the
    /// distribution that `top_p` cuts is that of the kept tokens.
    pub(super) fn draw(&self, sampling: &Sampling, key: RandomKey, position: u64) -> usize {
        if sampling.temperature == 0.0 {
            let best =
                |best: usize, token| if self.weights[token] > self.weights[best] { token } else { best };
            return (0..self.weights.len()).fold(0, best);
        }
        let uniform = (key.at(position).next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64);
        let whole = sampling.top_p >= 1.0 && sampling.top_k.is_none_or(|k| k >= self.weights.len());
        if whole {
            return invert(self.weights.iter().copied().enumerate(), uniform * self.total);
        }
        let kept = self.kept(sampling);
        let total: f64 = kept.iter().map(|token| self.weights[*token]).sum();
        invert(kept.iter().map(|token| (*token, self.weights[*token])), uniform * total)
    }

    /// The tokens that top-k and top-p leave, in the order of their ids; at least one.
    fn kept(&self, sampling: &Sampling) -> Vec<usize> {
        let mut tokens: Vec<usize> = (0..self.weights.len()).collect();
        let falling = |a: &usize, b: &usize| self.weights[*b].total_cmp(&self.weights[*a]).then(a.cmp(b));
        if let Some(k) = sampling.top_k.map(|k| k.max(1)).filter(|k| *k < tokens.len()) {
            tokens.select_nth_unstable_by(k - 1, falling);
            tokens.truncate(k);
        }
        if sampling.top_p < 1.0 {
            tokens.sort_unstable_by(falling);
            let target = sampling.top_p * tokens.iter().map(|token| self.weights[*token]).sum::<f64>();
            let mut sum = 0.0;
            let reached = tokens.iter().position(|token| {
                sum += self.weights[*token];
                sum >= target
            });
            tokens.truncate(reached.map_or(tokens.len(), |last| last + 1));
        }
        tokens.sort_unstable();
        tokens
    }
}

/// The first token at which the running sum exceeds `target`; the last with any weight where rounding
/// keeps the sum below.
fn invert(weights: impl Iterator<Item = (usize, f64)>, target: f64) -> usize {
    let mut sum = 0.0;
    let mut last = 0;
    for (token, weight) in weights {
        sum += weight;
        if weight > 0.0 {
            last = token;
        }
        if sum > target {
            return token;
        }
    }
    last
}

/// Refuses what is no way of sampling.
pub(super) fn check(sampling: &Sampling) -> Result<()> {
    let refuse = |message: String| Err(Error::usage(message, "see `Sampling`"));
    if !sampling.temperature.is_finite() || sampling.temperature < 0.0 {
        return refuse(format!("a temperature of {} is not possible", sampling.temperature));
    }
    if !(sampling.top_p > 0.0 && sampling.top_p <= 1.0) {
        return refuse(format!("top-p must be above 0 and at most 1, and is {}", sampling.top_p));
    }
    if sampling.top_k == Some(0) {
        return refuse("top-k must be at least 1".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(logits: &[f32], temperature: f64) -> Distribution {
        let mut distribution = Distribution::default();
        distribution.set(logits, temperature).unwrap();
        distribution
    }

    #[test]
    fn frequencies_are_probabilities() {
        let logits = [0.5, -1.0, 2.0, 0.0];
        let distribution = distribution(&logits, 0.7);
        let key = RandomKey::new(1, 0, "", "");
        let mut counts = [0.0; 4];
        for position in 0..20_000 {
            counts[distribution.draw(&Sampling::default(), key, position)] += 1.0 / 20_000.0;
        }
        let mut entropy = 0.0;
        for (count, logit) in counts.iter().zip(logits) {
            let logprob = distribution.logprob(logit);
            assert!((count - logprob.exp()).abs() < 0.012, "{count} {}", logprob.exp());
            entropy -= logprob * logprob.exp();
        }
        assert!((entropy - distribution.entropy()).abs() < 1e-12);
    }

    #[test]
    fn truncation_keeps_the_most_probable() {
        let distribution = distribution(&[1.0, 3.0, 2.0, 3.0, -4.0], 1.0);
        let kept = |top_k, top_p| distribution.kept(&Sampling { top_k, top_p, ..Sampling::default() });
        assert_eq!(kept(Some(1), 1.0), [1]);
        assert_eq!(kept(Some(2), 1.0), [1, 3]);
        assert_eq!(kept(Some(3), 1.0), [1, 2, 3]);
        assert_eq!(kept(None, 0.3), [1]);
        assert_eq!(kept(None, 0.79), [1, 3]);
        assert_eq!(kept(None, 0.85), [1, 2, 3]);
        assert_eq!(kept(Some(2), 0.5), [1]);
        let key = RandomKey::new(1, 0, "", "");
        let sampling = Sampling { top_k: Some(2), ..Sampling::default() };
        for position in 0..200 {
            assert!([1, 3].contains(&distribution.draw(&sampling, key, position)));
        }
        let greedy = Sampling { temperature: 0.0, ..Sampling::default() };
        assert_eq!(distribution.draw(&greedy, key, 0), 1);
    }

    #[test]
    fn logits_that_are_not_finite_are_an_error() {
        for logits in [[0.0, f32::NAN], [0.0, f32::INFINITY], [f32::NEG_INFINITY; 2]] {
            assert!(Distribution::default().set(&logits, 1.0).is_err(), "{logits:?}");
        }
        let mut masked = Distribution::default();
        masked.set(&[0.0, f32::NEG_INFINITY], 1.0).unwrap();
        assert_eq!((masked.entropy(), masked.logprob(0.0)), (0.0, 0.0));
    }

    #[test]
    fn impossible_sampling_is_refused() {
        for sampling in [
            Sampling { temperature: -1.0, ..Sampling::default() },
            Sampling { temperature: f64::NAN, ..Sampling::default() },
            Sampling { top_p: 0.0, ..Sampling::default() },
            Sampling { top_p: 1.5, ..Sampling::default() },
            Sampling { top_k: Some(0), ..Sampling::default() },
        ] {
            assert!(check(&sampling).is_err(), "{sampling:?}");
        }
    }
}
