//! The clipped loss of every trained denoising step, and sums of them.

use meed_operators::Result;
use meed_operators::objectives::{Clip, Columns, Loss, Ratio, Token};

use crate::parameters::{Parameter, Parameters, parameter};

/// Clips of the ratio and the advantage; the ratio's is narrow, since a log-probability is a mean over
/// elements.
pub const CLIP: &[Parameter] = &[
    parameter("clip", "0.0001", "the ratio is clipped at 1 - clip and 1 + clip"),
    parameter("adv_clip_max", "5", "advantages are clamped to plus or minus this"),
];

/// A clipped step, with what the clips are.
#[derive(Debug, Clone, Copy)]
pub struct Steps {
    clip: Clip,
    most: f64,
}

impl Steps {
    /// The clips of the parameters.
    pub fn of(parameters: &Parameters) -> Result<Self> {
        let clip = parameters.number("clip")?;
        Ok(Steps { clip: Clip::offsets(clip, clip), most: parameters.number("adv_clip_max")? })
    }

    /// The clip of the ratio alone.
    pub fn unclamped(clip: f64) -> Self {
        Steps { clip: Clip::offsets(clip, clip), most: f64::INFINITY }
    }

    /// The loss of one step, for a log-ratio and an advantage that is not clamped yet.
    pub fn token(&self, log_ratio: f64, advantage: f64) -> Token {
        self.clip.token(self.clip.low, self.clip.high, log_ratio, advantage.clamp(-self.most, self.most))
    }

    /// `sum_t share(rollout) loss_t` over trained steps, with its gradient; the output `ratios` has each
    /// step's.
    pub fn sum(&self, columns: &Columns, share: impl Fn(usize) -> f64) -> Result<Loss> {
        self.sum_of(columns, advantages(columns)?, share)
    }

    /// The same for other advantages, one per step.
    pub fn sum_of(
        &self,
        columns: &Columns,
        advantages: &[f64],
        share: impl Fn(usize) -> f64,
    ) -> Result<Loss> {
        let log_ratios = Ratio::default().log_ratios(columns)?.values;
        let mut loss = Loss { logprobs: vec![0.0; columns.tokens()], ..Loss::default() };
        let (mut trained, mut clipped, mut ratios) = (0.0, 0.0, vec![0.0; columns.tokens()]);
        for (rollout, range) in columns.ranges().enumerate() {
            for t in range.filter(|&t| columns.mask[t]) {
                let token = self.token(log_ratios[t], advantages[t]);
                loss.value += share(rollout) * token.loss;
                loss.logprobs[t] = share(rollout) * token.by_log_ratio;
                ratios[t] = log_ratios[t].exp();
                trained += 1.0;
                clipped += if token.clipped { 1.0 } else { 0.0 };
            }
        }
        let parts = [("policy_loss", loss.value), ("clip_fraction", clipped / f64::max(trained, 1.0))];
        loss.parts.extend(parts.map(|(name, part)| (name.to_owned(), part)));
        loss.outputs.insert("ratios".into(), ratios);
        Ok(loss)
    }
}

/// One advantage per step.
///
/// # Errors
/// A batch without them.
pub fn advantages(columns: &Columns) -> Result<&[f64]> {
    if columns.advantages.len() != columns.tokens() {
        columns.needed(&None, "token_advantages")?;
    }
    Ok(&columns.advantages)
}

/// Trained steps of a batch.
pub fn trained(columns: &Columns) -> f64 {
    columns.mask.iter().filter(|&&on| on).count() as f64
}
