//! PPO's clip: offsets or absolute bounds, per token where the batch gives them, dual and two-sided.

use super::Columns;
use super::ratio::bounded;
use super::surrogate::{Surrogate, Token, TokenLosses, each};
use crate::Result;

/// `max(-A r, -A clip(r, low, high))`, with two further bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clip {
    /// Lower bound of the ratio, absolute: 0.8 where PPO says 0.2.
    pub low: f64,
    /// Upper bound of the ratio, absolute.
    pub high: f64,
    /// Dual clip (arXiv 1912.09729): where the advantage is negative the loss is at most `-A c`.
    pub dual: Option<f64>,
    /// Two-sided clip (INTELLECT-2, arXiv 2505.07291): the unclipped branch takes `min(r, delta)`.
    pub delta: Option<f64>,
}

impl Clip {
    /// Bounds as offsets from 1: `1 - low..=1 + high`.
    pub fn offsets(low: f64, high: f64) -> Self {
        Clip { low: 1.0 - low, high: 1.0 + high, dual: None, delta: None }
    }

    /// The loss of one token. Where the branches tie, the unclipped one has the gradient, as `max` of equal
    /// functions does.
    pub fn token(&self, low: f64, high: f64, log_ratio: f64, advantage: f64) -> Token {
        let ratio = log_ratio.exp();
        let capped = self.delta.map_or(ratio, |delta| ratio.min(delta));
        let (free, clipped) = (-advantage * capped, -advantage * bounded(ratio, low, high));
        let mut token = if clipped > free {
            Token { loss: clipped, clipped: true, ..Token::default() }
        } else if capped < ratio {
            Token { loss: free, clipped: true, ..Token::default() }
        } else {
            Token::through(ratio, -advantage)
        };
        if let Some(bound) = self.dual
            && advantage < 0.0
            && token.loss > -advantage * bound
        {
            token = Token { loss: -advantage * bound, clipped: token.clipped, ..Token::default() };
        }
        token
    }
}

impl Surrogate for Clip {
    fn losses(&self, columns: &Columns, log_ratios: &[f64], advantages: &[f64]) -> Result<TokenLosses> {
        let low = |t: usize| columns.clip_low.as_ref().map_or(self.low, |low| 1.0 - low[t]);
        let high = |t: usize| columns.clip_high.as_ref().map_or(self.high, |high| 1.0 + high[t]);
        Ok(each(columns, |t| self.token(low(t), high(t), log_ratios[t], advantages[t])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_the_batch_override_those_of_the_clip() {
        let columns = Columns {
            offsets: vec![0, 3],
            mask: vec![true; 3],
            clip_low: Some(vec![0.2, 0.5, 0.2]),
            clip_high: Some(vec![0.2, 0.5, 0.0]),
            ..Columns::default()
        };
        let x = [1.4_f64.ln(), 1.4_f64.ln(), 0.6_f64.ln()];
        let losses = Clip::offsets(0.1, 0.1).losses(&columns, &x, &[1.0, 1.0, -1.0]).unwrap();
        let loss: Vec<f64> = losses.tokens.iter().map(|token| token.loss).collect();
        let close = loss.iter().zip([-1.2, -1.4, 0.8]).all(|(got, want)| (got - want).abs() < 1e-12);
        assert!(close, "{loss:?}");
        let clipped: Vec<bool> = losses.tokens.iter().map(|token| token.clipped).collect();
        assert_eq!(clipped, [true, false, true]);
    }
}
