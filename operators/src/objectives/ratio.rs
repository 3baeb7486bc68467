//! Importance ratios: of tokens, sequences or segments, in the log domain, with their derivative.

use std::ops::Range;

use super::Columns;
use crate::Result;

/// `x` between the bounds; NaN stays, so that a fault is not taken for a bound.
pub(super) fn bounded(x: f64, low: f64, high: f64) -> f64 {
    if x.is_nan() { x } else { x.max(low).min(high) }
}

/// The policy in the denominator of a ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Anchor {
    /// The policy at the start of the update (`old_logprobs`).
    #[default]
    Old,
    /// The policy that sampled (`rollout_logprobs`).
    Rollout,
    /// The current policy, held fixed: every ratio is 1, and its derivative is that of the
    /// log-probability.
    Current,
}

/// Tokens that share one ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Span {
    /// Each token has its own.
    #[default]
    Token,
    /// All trainable tokens of a rollout (GSPO, arXiv 2507.18071).
    Sequence,
    /// Each maximal run of trainable tokens: a turn of the policy.
    Segment,
    /// Each run of a rollout's trainable tokens with equal advantages, whatever lies between them.
    EqualAdvantages,
}

/// How the log-ratios of a span become one.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Pool {
    /// Their mean: the geometric mean of the ratios.
    #[default]
    Mean,
    /// Their sum: the ratio of the probabilities of the whole span.
    Sum,
}

/// How a gradient reaches the log-probabilities of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gradient {
    /// Through the pooled ratio: each token of the span gets its share.
    #[default]
    Through,
    /// Each token as if the ratio were its own (GSPO-token): value of the span, derivative 1.
    StraightThrough,
}

/// A rule for importance ratios.
///
/// ```
/// use meed_operators::objectives::{Columns, Ratio};
/// let columns = Columns {
///     offsets: vec![0, 3],
///     mask: vec![true, true, true],
///     logprobs: vec![-0.7, -1.1, -0.6],
///     old_logprobs: Some(vec![-1.0, -1.0, -1.0]),
///     ..Columns::default()
/// };
/// let token = Ratio::default().log_ratios(&columns)?;
/// assert!((token.values[0] - 0.3).abs() < 1e-12);
/// // GSPO: the mean log-ratio, 0.2, at every token.
/// let sequence = Ratio::sequence().log_ratios(&columns)?;
/// assert!((sequence.values[0].exp() - 1.2214027582).abs() < 1e-9);
/// # Ok::<(), meed_operators::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ratio {
    /// The policy in the denominator.
    pub anchor: Anchor,
    /// Tokens that share one ratio.
    pub span: Span,
    /// How the log-ratios of a span become one; means nothing for tokens.
    pub pool: Pool,
    /// How the gradient reaches them.
    pub gradient: Gradient,
    /// Log-ratios are clamped to `±clamp` (the derivative is 0 beyond), where given.
    pub clamp: Option<f64>,
    /// Log-ratios are clipped to `-low..=high` on the side that the sign of the token's advantage
    /// would gain from, before they are pooled (GMPO, arXiv 2507.20673).
    pub log_clip: Option<(f64, f64)>,
    /// Added to the number of tokens in means.
    pub tokens_eps: f64,
    /// A sequence is made of all its tokens, observations too (TRL's RLOO trainer), not of the
    /// trainable ones.
    pub all_tokens: bool,
}

impl Ratio {
    /// GSPO: `exp(mean log-ratio)` of each sequence.
    pub fn sequence() -> Self {
        Ratio { span: Span::Sequence, ..Ratio::default() }
    }

    /// Log-ratios of a batch: one per token, that of its span; 0 outside the mask.
    ///
    /// # Errors
    /// An anchor that the batch lacks.
    pub fn log_ratios(&self, columns: &Columns) -> Result<LogRatios> {
        let anchor = columns.anchor(self.anchor)?;
        let (mut values, mut share) = (vec![0.0; columns.tokens()], vec![0.0; columns.tokens()]);
        for t in (0..columns.tokens()).filter(|&t| columns.mask[t] || self.all_tokens) {
            (values[t], share[t]) = self.clipped(columns, columns.logprobs[t] - anchor[t], t);
        }
        let spans = match self.span {
            Span::Token => return Ok(LogRatios { values, share, spans: None }),
            Span::Sequence => columns.ranges().collect(),
            Span::Segment => columns.segments(),
            Span::EqualAdvantages => columns.equal_advantages(),
        };
        Ok(self.pooled(columns, values, share, spans))
    }

    /// Token log-ratios pooled over given spans (a recipe's own turns or phases); tokens in none keep 0.
    ///
    /// # Errors
    /// An anchor that the batch lacks.
    pub fn over(&self, columns: &Columns, spans: Vec<Range<usize>>) -> Result<LogRatios> {
        let tokens = Ratio { span: Span::Token, ..*self }.log_ratios(columns)?;
        Ok(self.pooled(columns, tokens.values, tokens.share, spans))
    }

    fn pooled(
        &self,
        columns: &Columns,
        tokens: Vec<f64>,
        mut share: Vec<f64>,
        spans: Vec<Range<usize>>,
    ) -> LogRatios {
        let inside = |t: usize| columns.mask[t] || self.all_tokens;
        let mut values = vec![0.0; tokens.len()];
        for span in &spans {
            let count = span.clone().filter(|&t| inside(t)).count() as f64;
            let sum: f64 = span.clone().filter(|&t| inside(t)).map(|t| tokens[t]).sum();
            let divisor = match self.pool {
                Pool::Mean => (count + self.tokens_eps).max(f64::MIN_POSITIVE),
                Pool::Sum => 1.0,
            };
            for t in span.clone().filter(|&t| inside(t)) {
                values[t] = sum / divisor;
                share[t] /= divisor;
            }
        }
        match self.gradient {
            Gradient::Through => LogRatios { values, share, spans: Some(spans) },
            Gradient::StraightThrough => {
                let share = columns.mask.iter().map(|&on| f64::from(u8::from(on))).collect();
                LogRatios { values, share, spans: None }
            }
        }
    }

    fn clipped(&self, columns: &Columns, log_ratio: f64, t: usize) -> (f64, f64) {
        let mut x = log_ratio;
        let mut pass = 1.0;
        if let Some((low, high)) = self.log_clip {
            let advantage = columns.advantages.get(t).copied().unwrap_or(0.0);
            let beyond = (advantage > 0.0 && x > high) || (advantage < 0.0 && x < -low);
            if beyond {
                (x, pass) = (x.clamp(-low, high), 0.0);
            }
            if advantage == 0.0 {
                (x, pass) = (0.0, 0.0);
            }
        }
        if let Some(clamp) = self.clamp
            && x.abs() > clamp
        {
            (x, pass) = (x.clamp(-clamp, clamp), 0.0);
        }
        (x, pass)
    }
}

/// Log-ratios of a batch, and what they derive from.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRatios {
    /// One per token.
    pub values: Vec<f64>,
    share: Vec<f64>,
    spans: Option<Vec<Range<usize>>>,
}

impl LogRatios {
    /// Adds the derivative with respect to log-probabilities, given that with respect to each token's
    /// log-ratio.
    pub fn backward(&self, by_log_ratio: &[f64], into: &mut [f64]) {
        let Some(spans) = &self.spans else {
            for ((into, by), share) in into.iter_mut().zip(by_log_ratio).zip(&self.share) {
                *into += by * share;
            }
            return;
        };
        for span in spans {
            let total: f64 = span.clone().map(|t| by_log_ratio[t]).sum();
            for t in span.clone() {
                into[t] += total * self.share[t];
            }
        }
    }
}
