//! Likelihoods of whole rollouts beside a preference: the SFT term, and implicit token rewards.

use crate::Result;
use crate::objectives::{Columns, Loss};

/// `-sum logp / tokens` over all trainable tokens of some rollouts together; one that is named twice
/// counts twice. Without a token it is 0.
///
/// # Errors
/// As [`Columns::check`].
pub fn negative_log_likelihood(columns: &Columns, rollouts: impl IntoIterator<Item = usize>) -> Result<Loss> {
    columns.check()?;
    let mut loss = Loss { logprobs: vec![0.0; columns.tokens()], ..Loss::default() };
    let mut tokens = 0.0;
    for t in rollouts.into_iter().flat_map(|rollout| columns.range(rollout)).filter(|&t| columns.mask[t]) {
        loss.value -= columns.logprobs[t];
        loss.logprobs[t] -= 1.0;
        tokens += 1.0;
    }
    if tokens > 0.0 {
        loss.value /= tokens;
        loss.logprobs.iter_mut().for_each(|slope| *slope /= tokens);
    }
    Ok(loss)
}

/// `beta * (logp_t - ref_t)` of every trainable token, 0 elsewhere: the reward that a policy implies, up
/// to a difference of values ("From r to Q*", arXiv 2404.12358, section 4).
///
/// # Errors
/// A batch without reference log-probabilities.
pub fn implicit_rewards(columns: &Columns, beta: f64) -> Result<Vec<f64>> {
    columns.check()?;
    let reference = columns.needed(&columns.ref_logprobs, "token_ref_logprobs")?;
    let reward = |t: usize| if columns.mask[t] { beta * (columns.logprobs[t] - reference[t]) } else { 0.0 };
    Ok((0..columns.tokens()).map(reward).collect())
}

impl Loss {
    /// Adds `weight` times another loss of the same batch: value and gradients. Parts and outputs of the
    /// other are kept under their names, unweighted, where this one has none.
    pub fn add_weighted(&mut self, weight: f64, other: Loss) {
        let add = |into: &mut Vec<f64>, from: Vec<f64>| {
            into.resize(into.len().max(from.len()), 0.0);
            into.iter_mut().zip(from).for_each(|(x, y)| *x += weight * y);
        };
        self.value += weight * other.value;
        add(&mut self.logprobs, other.logprobs);
        for (into, from) in [(&mut self.entropies, other.entropies), (&mut self.values, other.values)] {
            if let Some(from) = from {
                add(into.get_or_insert_default(), from);
            }
        }
        for (name, from) in other.signals {
            add(self.signals.entry(name).or_default(), from);
        }
        for (name, part) in other.parts {
            self.parts.entry(name).or_insert(part);
        }
        for (name, output) in other.outputs {
            self.outputs.entry(name).or_insert(output);
        }
    }
}
