//! Surrogates: what is lost at a token, given its log-ratio, log-probability and advantage.

use super::Columns;
use super::ratio::bounded;
use crate::Result;

/// The loss of one token with its derivatives.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Token {
    /// What is lost.
    pub loss: f64,
    /// Derivative with respect to the token's log-ratio.
    pub by_log_ratio: f64,
    /// Derivative with respect to the token's log-probability, beside what flows through the ratio.
    pub by_logprob: f64,
    /// Whether a clip, cap or mask acted.
    pub clipped: bool,
}

impl Token {
    /// `ratio * slope`, with the gradient through the ratio.
    pub fn through(ratio: f64, slope: f64) -> Self {
        Token { loss: ratio * slope, by_log_ratio: ratio * slope, ..Token::default() }
    }

    /// `-weight * advantage * logprob`, the weight held fixed.
    pub fn detached(weight: f64, advantage: f64, logprob: f64) -> Self {
        let slope = -weight * advantage;
        Token { loss: slope * logprob, by_logprob: slope, ..Token::default() }
    }
}

/// Losses of all tokens; 0 outside the mask.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenLosses {
    /// One per token of the batch.
    pub tokens: Vec<Token>,
}

/// A rule for token losses.
pub trait Surrogate: Send + Sync {
    /// Losses of a batch, for these log-ratios and advantages (one per token).
    ///
    /// # Errors
    /// A column that the rule needs and the batch lacks.
    fn losses(&self, columns: &Columns, log_ratios: &[f64], advantages: &[f64]) -> Result<TokenLosses>;
}

/// A surrogate whose tokens do not know of each other: `rule(columns, t, log_ratio, advantage)`.
pub struct Each<F>(pub F);

impl<F> Surrogate for Each<F>
where
    F: Fn(&Columns, usize, f64, f64) -> Token + Send + Sync,
{
    fn losses(&self, columns: &Columns, log_ratios: &[f64], advantages: &[f64]) -> Result<TokenLosses> {
        Ok(each(columns, |t| (self.0)(columns, t, log_ratios[t], advantages[t])))
    }
}

/// Losses from a rule for one trainable token.
pub fn each(columns: &Columns, mut rule: impl FnMut(usize) -> Token) -> TokenLosses {
    let tokens =
        (0..columns.tokens()).map(|t| if columns.mask[t] { rule(t) } else { Token::default() }).collect();
    TokenLosses { tokens }
}

/// `-A r`, unclipped: importance sampling, and with [`Anchor::Current`](super::Anchor::Current) the
/// on-policy gradient.
pub fn unclipped() -> Box<dyn Surrogate> {
    Box::new(Each(|_: &Columns, _, log_ratio: f64, advantage: f64| {
        Token::through(log_ratio.exp(), -advantage)
    }))
}

/// `-A log pi`: REINFORCE, and GPG (arXiv 2504.02546).
pub fn reinforce() -> Box<dyn Surrogate> {
    Box::new(Each(|columns: &Columns, t: usize, _, advantage: f64| {
        Token::detached(1.0, advantage, columns.logprobs[t])
    }))
}

/// `-log pi`, whatever the advantage.
pub fn negative_log_likelihood() -> Box<dyn Surrogate> {
    Box::new(Each(|columns: &Columns, t: usize, _, _| Token::detached(1.0, 1.0, columns.logprobs[t])))
}

/// SAPO's soft gate (arXiv 2511.20347): `-4/tau sigmoid(tau (r - 1)) A`, `tau` by the sign of the advantage.
pub fn soft_gate(tau_positive: f64, tau_negative: f64) -> Box<dyn Surrogate> {
    Box::new(Each(move |_: &Columns, _, log_ratio: f64, advantage: f64| {
        let tau = if advantage > 0.0 { tau_positive } else { tau_negative };
        let ratio = log_ratio.exp();
        let gate = 1.0 / (1.0 + (-tau * (ratio - 1.0)).exp());
        Token {
            loss: -4.0 / tau * gate * advantage,
            by_log_ratio: -4.0 * gate * (1.0 - gate) * ratio * advantage,
            ..Token::default()
        }
    }))
}

/// CISPO (arXiv 2506.13585) and TIS: `-sg(clamp(r, low, high)) A log pi`, with absolute bounds.
pub fn capped_weight(low: f64, high: f64) -> Box<dyn Surrogate> {
    Box::new(Each(move |columns: &Columns, t: usize, log_ratio: f64, advantage: f64| {
        let ratio = log_ratio.exp();
        let weight = bounded(ratio, low, high);
        Token { clipped: weight != ratio, ..Token::detached(weight, advantage, columns.logprobs[t]) }
    }))
}

/// CISPO's unified mask: the weight as above, but tokens that PPO would clip have no loss.
pub fn masked_weight(low: f64, high: f64) -> Box<dyn Surrogate> {
    Box::new(Each(move |columns: &Columns, t: usize, log_ratio: f64, advantage: f64| {
        let ratio = log_ratio.exp();
        if (advantage > 0.0 && ratio > high) || (advantage < 0.0 && ratio < low) {
            return Token { clipped: true, ..Token::default() };
        }
        Token::detached(bounded(ratio, low, high), advantage, columns.logprobs[t])
    }))
}

/// `-sg(r) A log pi` inside the open interval, 0 outside (calibrated importance sampling).
pub fn inside_weight(low: f64, high: f64) -> Box<dyn Surrogate> {
    Box::new(Each(move |columns: &Columns, t: usize, log_ratio: f64, advantage: f64| {
        let ratio = log_ratio.exp();
        if ratio <= low || ratio >= high {
            return Token { clipped: true, ..Token::default() };
        }
        Token::detached(ratio, advantage, columns.logprobs[t])
    }))
}

/// `-A log pi + tau/2 (log r)^2`: REINFORCE with a squared log-ratio penalty (Kimi k1.5, arXiv 2501.12599;
/// DRO, arXiv 2405.19107, up to the constant `A log pi_old`).
pub fn squared_log_ratio_reinforce(tau: f64) -> Box<dyn Surrogate> {
    Box::new(Each(move |columns: &Columns, t: usize, log_ratio: f64, advantage: f64| {
        let plain = Token::detached(1.0, advantage, columns.logprobs[t]);
        Token { loss: plain.loss + tau / 2.0 * log_ratio * log_ratio, by_log_ratio: tau * log_ratio, ..plain }
    }))
}

impl Surrogate for Box<dyn Surrogate> {
    fn losses(&self, columns: &Columns, log_ratios: &[f64], advantages: &[f64]) -> Result<TokenLosses> {
        self.as_ref().losses(columns, log_ratios, advantages)
    }
}
