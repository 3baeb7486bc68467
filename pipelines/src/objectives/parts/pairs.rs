//! Losses of a reward model: over pairs of its scores, which have their gradient beside the policy's.

use meed_operators::objectives::preference::{PairLoss, preferred};
use meed_operators::objectives::{Columns, Loss};
use meed_operators::{Error, Result};

/// A further signal that has one value per pair.
///
/// # Errors
/// A signal that the batch lacks, or of another length.
pub fn pair_signal<'a>(columns: &'a Columns, name: &str) -> Result<&'a [f64]> {
    let values = columns.signal(name)?;
    if values.len() == columns.pairs.len() {
        return Ok(values);
    }
    Err(Error::usage(
        format!("{name} has {} values for {} pairs", values.len(), columns.pairs.len()),
        "it has one value per pair",
    ))
}

/// The same, where a batch may do without it.
///
/// # Errors
/// A signal of another length.
pub fn optional_pair_signal<'a>(columns: &'a Columns, name: &str) -> Result<Option<&'a [f64]>> {
    match columns.signals.contains_key(name) {
        true => pair_signal(columns, name).map(Some),
        false => Ok(None),
    }
}

/// The weighted mean over the batch's pairs of what a rule makes of the two rollouts' `scores`, a signal with one
/// value per rollout. The policy has no part in it: the gradient is with respect to the scores.
///
/// # Errors
/// A batch without scores, or as [`Columns::known_pairs`].
pub fn over_scores(columns: &Columns, rule: impl Fn(usize, f64, f64) -> PairLoss) -> Result<Loss> {
    let scores = columns.rollout_signal("scores")?;
    let pairs = columns.known_pairs()?;
    let share = 1.0 / pairs.len().max(1) as f64;
    let (mut loss, mut slopes, mut losses) = (Loss::zero(columns), vec![0.0; scores.len()], Vec::new());
    for (number, pair) in pairs.iter().enumerate() {
        let of_pair = rule(number, scores[pair.chosen], scores[pair.rejected]);
        let weighted = of_pair.times(share * pair.weight);
        loss.value += weighted.value;
        slopes[pair.chosen] += weighted.chosen;
        slopes[pair.rejected] += weighted.rejected;
        losses.push(of_pair.value);
    }
    loss.part("pairs", pairs.len() as f64);
    preferred(&mut loss, pairs, scores);
    loss.outputs.insert("pair_losses".into(), losses);
    loss.signals.insert("scores".into(), slopes);
    Ok(loss)
}
