//! Rows that are clipped as a whole (a turn, a candidate): one ratio, one advantage, one loss each.

use std::ops::Range;

use super::{Clip, Columns, Loss, Ratio};
use crate::Result;
use crate::credit::ExactSum;

/// Adds `sum_row share * max(-A r, -A clip(r))`, with `r = exp(mean log-ratio)` and `A` the mean advantage of
/// the row's trainable tokens. Rows without one add nothing. Log-ratios above `cap` count as `cap`,
/// without a gradient. Sets `policy_loss`, and `clip_fraction` as the share of rows whose clipped branch acted.
///
/// ```
/// use meed_operators::objectives::{Clip, Columns, Loss, rows::clip_rows};
/// let columns = Columns {
///     offsets: vec![0, 4],
///     mask: vec![true, true, false, true],
///     logprobs: vec![-0.9, -0.7, 0.0, -1.0],
///     old_logprobs: Some(vec![-1.0, -1.0, 0.0, -1.0]),
///     advantages: vec![2.0, 2.0, 0.0, -1.0],
///     ..Columns::default()
/// };
/// let mut loss = Loss::zero(&columns);
/// let turns = [0..2, 2..4];
/// clip_rows(&columns, &turns, &[0.5, 0.5], &Clip::offsets(0.3, 0.3), 10.0, &mut loss)?;
/// // The first turn has the ratio exp(0.2), the second 1; the two tokens of the first share its gradient.
/// assert!((loss.value - 0.5 * (-2.0 * f64::exp(0.2) + 1.0)).abs() < 1e-12);
/// assert!((loss.logprobs[0] + 0.5 * f64::exp(0.2)).abs() < 1e-12);
/// # Ok::<(), meed_operators::Error>(())
/// ```
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
