//! Rows that are clipped as a whole (a turn, a candidate): one ratio, one advantage, one loss each.

use std::ops::Range;

use super::{Clip, Columns, Loss, Ratio};
use crate::Result;
use crate::credit::ExactSum;

/// Adds `sum_row share * max(-A r, -A clip(r))`, with `r = exp(mean log-ratio)` and `A` the mean advantage of
/// the row's trainable tokens. Rows without one add nothing. Log-ratios above `cap` count as `cap`,
/// without a gradient. Sets `policy_loss`, and `clip_fraction` as the share of rows whose clipped branch acted.
///
/// # Errors
/// Advantages or old log-probabilities that the batch lacks.
pub fn clip_rows(
    columns: &Columns,
    rows: &[Range<usize>],
    shares: &[f64],
    clip: &Clip,
    cap: f64,
    loss: &mut Loss,
) -> Result<()> {
    let advantages = super::Advantages::Token.of(columns)?;
    let ratios = Ratio::sequence().over(columns, rows.to_vec())?;
    let mut by_log_ratio = vec![0.0; columns.tokens()];
    let mut value = ExactSum::default();
    let (mut clipped, mut trained) = (0.0, 0.0);
    for (row, share) in rows.iter().zip(shares) {
        let tokens = columns.trainable(row.clone());
        let Some(&first) = tokens.first() else { continue };
        let advantage = tokens.iter().map(|&t| advantages[t]).sum::<f64>() / tokens.len() as f64;
        let log_ratio = ratios.values[first];
        let token = clip.token(clip.low, clip.high, log_ratio.min(cap), advantage);
        value.add(share * token.loss);
        clipped += f64::from(u8::from(token.clipped));
        trained += 1.0;
        if log_ratio <= cap {
            by_log_ratio[first] = share * token.by_log_ratio;
        }
    }
    ratios.backward(&by_log_ratio, &mut loss.logprobs);
    let value = value.value();
    loss.value += value;
    loss.parts.insert("policy_loss".into(), value);
    if trained > 0.0 {
        loss.parts.insert("clip_fraction".into(), clipped / trained);
    }
    Ok(())
}
