//! Trust regions as masks: DPPO by total variation or binary divergence, and prime-rl's forms.

use super::Columns;
use super::ratio::Anchor;
use super::surrogate::{Surrogate, Token, TokenLosses, each};
use crate::Result;

/// How far the probability of a sampled token has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Movement {
    /// `pi - pi_anchor`.
    #[default]
    TotalVariation,
    /// The divergence of the two Bernoulli variables "this token or another", `KL(anchor || current)`,
    /// with the sign of the movement.
    BinaryKl,
}

/// Which tokens are dropped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Region {
    /// A positive advantage drops above `high`, any other below `-low`.
    Directed {
        /// Bound of a fall.
        low: f64,
        /// Bound of a rise.
        high: f64,
        /// Whether tokens of advantage exactly 0 are never dropped; they count as negative else.
        zero_kept: bool,
    },
    /// Beyond `±` the bound, whatever the advantage.
    Symmetric(f64),
}

/// DPPO (arXiv 2602.04879): a mask in place of a clip; `-A r` on the tokens that are kept, plus a penalty
/// `squared_log_ratio * (log r)^2` on all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrustRegion {
    /// The policy that movements are measured from.
    pub anchor: Anchor,
    /// How movement is measured.
    pub movement: Movement,
    /// Which tokens are dropped.
    pub region: Region,
    /// Where given, the ratio is capped here and held fixed, and multiplies `A log pi`; else the
    /// gradient flows through the ratio.
    pub ratio_cap: Option<f64>,
    /// Multiplies advantages.
    pub advantage_scale: f64,
    /// Coefficient of the squared log-ratio.
    pub squared_log_ratio: f64,
    /// Advantages are `log pi_ref - log pi`, held fixed, in place of the batch's: the reverse
    /// divergence from the reference; every token is dropped by a fall below `-low`.
    pub reverse_kl: bool,
}

impl TrustRegion {
    /// The region, with the gradient through the ratio to the old policy.
    pub fn new(movement: Movement, region: Region) -> Self {
        TrustRegion {
            anchor: Anchor::Old,
            movement,
            region,
            ratio_cap: None,
            advantage_scale: 1.0,
            squared_log_ratio: 0.0,
            reverse_kl: false,
        }
    }

    /// How far a token has moved.
    pub fn moved(&self, logprob: f64, anchor: f64) -> f64 {
        let (p, q) = (logprob.exp(), anchor.exp());
        match self.movement {
            Movement::TotalVariation => p - q,
            Movement::BinaryKl => {
                let others = if q < 1.0 { (1.0 - q) * ((1.0 - q) / (1.0 - p)).ln() } else { 0.0 };
                (q * (anchor - logprob) + others) * if p >= q { 1.0 } else { -1.0 }
            }
        }
    }

    /// Whether a token stays in the region.
    pub fn keeps(&self, moved: f64, advantage: f64) -> bool {
        match self.region {
            Region::Symmetric(bound) => moved.abs() <= bound,
            Region::Directed { zero_kept: true, .. } if advantage == 0.0 && !self.reverse_kl => true,
            Region::Directed { low, .. } if self.reverse_kl || advantage <= 0.0 => moved >= -low,
            Region::Directed { high, .. } => moved <= high,
        }
    }
}

impl Surrogate for TrustRegion {
    fn losses(&self, columns: &Columns, log_ratios: &[f64], advantages: &[f64]) -> Result<TokenLosses> {
        let anchor = columns.anchor(self.anchor)?;
        let reference = match self.reverse_kl {
            true => Some(columns.needed(&columns.ref_logprobs, "token_ref_logprobs")?),
            false => None,
        };
        Ok(each(columns, |t| {
            let (logprob, x) = (columns.logprobs[t], log_ratios[t]);
            let given = reference.map_or(advantages[t], |reference| reference[t] - logprob);
            let advantage = self.advantage_scale * given;
            let kept = self.keeps(self.moved(logprob, anchor[t]), given);
            let token = match self.ratio_cap {
                _ if !kept => Token { clipped: true, ..Token::default() },
                Some(cap) => Token::detached(x.exp().min(cap), advantage, logprob),
                None => Token::through(x.exp(), -advantage),
            };
            Token {
                loss: token.loss + self.squared_log_ratio * x * x,
                by_log_ratio: token.by_log_ratio + 2.0 * self.squared_log_ratio * x,
                ..token
            }
        }))
    }
}

/// MiniRL (arXiv 2512.01374): `-M A log pi`, where a token is masked when its ratio has left `1 - low..=1 +
/// high` in the direction of its advantage. The weight `pi / mu` is a correction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MiniRl {
    /// Lower offset from 1.
    pub low: f64,
    /// Upper offset from 1.
    pub high: f64,
}

impl Surrogate for MiniRl {
    fn losses(&self, columns: &Columns, log_ratios: &[f64], advantages: &[f64]) -> Result<TokenLosses> {
        Ok(each(columns, |t| {
            let (ratio, advantage) = (log_ratios[t].exp(), advantages[t]);
            let left =
                (advantage > 0.0 && ratio > 1.0 + self.high) || (advantage < 0.0 && ratio < 1.0 - self.low);
            if left {
                return Token { clipped: true, ..Token::default() };
            }
            Token::detached(1.0, advantage, columns.logprobs[t])
        }))
    }
}
