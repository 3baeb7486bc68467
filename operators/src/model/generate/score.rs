//! Log-probabilities, entropies and values of given tokens, with the network that generates: scores of
//! sampled tokens are those of the sampling, bit for bit.

use super::network::{Rotations, Workspace};
use super::prefixes::Plan;
use super::sampling::{self, Distribution};
use super::{LocalPolicy, lock};
use crate::policy::{Sampling, TokenBatch, TokenScores};
use crate::{Error, Result};

/// A token whose score is wanted.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    /// Row of the token before it.
    row: usize,
    /// Its place in the batch.
    place: usize,
}

pub(super) fn score(policy: &LocalPolicy, batch: &TokenBatch, temperature: f64) -> Result<TokenScores> {
    sampling::check(&Sampling { temperature, ..Sampling::default() })?;
    let (count, values) = (batch.tokens.len(), policy.config().value_head);
    let mut scores = TokenScores {
        logprobs: vec![0.0; count],
        entropies: vec![0.0; count],
        values: values.then(|| vec![0.0; count]),
    };
    let sequences = sequences(policy, batch)?;
    let borrowed: Vec<&[i32]> = sequences.iter().map(Vec::as_slice).collect();
    let mut blocks = policy.blocks();
    let plan = Plan::new(&borrowed, &mut blocks, |_, _| Vec::new());
    let mut wanted = Vec::new();
    for (rollout, distinct) in plan.distinct.iter().enumerate() {
        let prompt = batch.prompt(rollout).len();
        for (index, place) in (batch.offsets[rollout]..batch.offsets[rollout + 1]).enumerate() {
            if (batch.mask[place] || values)
                && let Some(row) = plan.row_of[*distinct][prompt + index - 1]
            {
                wanted.push(Wanted { row, place });
            }
        }
    }
    wanted.sort_by_key(|wanted| (wanted.row, wanted.place));
    let by_row: Vec<&[Wanted]> = wanted.chunk_by(|a, b| a.row == b.row).collect();
    let longest = sequences.iter().map(Vec::len).max().unwrap_or(0);
    let rotations = Rotations::new(policy.config(), longest);
    let mut done = 0;
    let mut workspace = Workspace::default();
    policy.forward(&plan.rows, &plan.tables, &mut blocks, &rotations, &mut workspace, |first, stream| {
        let last = first + stream.len() / policy.config().hidden;
        let here = by_row[done..].iter().take_while(|wanted| wanted[0].row < last).count();
        let here = &by_row[done..done + here];
        done += here.len();
        let rows: Vec<usize> = here.iter().map(|wanted| wanted[0].row - first).collect();
        let found = policy.network.heads(stream, &rows, |place, logits, value| {
            let mut distribution = Distribution::default();
            if here[place].iter().any(|wanted| batch.mask[wanted.place]) {
                distribution.set(logits, temperature)?;
            }
            let logprob = |wanted: &Wanted| match usize::try_from(batch.tokens[wanted.place]) {
                Ok(token) if token < logits.len() => Ok(distribution.logprob(logits[token]) as f32),
                _ => Err(outside(batch.tokens[wanted.place], logits.len())),
            };
            let masked = here[place].iter().filter(|wanted| batch.mask[wanted.place]);
            let logprobs =
                masked.map(|wanted| Ok((wanted.place, logprob(wanted)?))).collect::<Result<Vec<_>>>()?;
            Ok((logprobs, distribution.entropy() as f32, value))
        })?;
        for (wanted, (logprobs, entropy, value)) in here.iter().zip(found) {
            for (place, logprob) in logprobs {
                scores.logprobs[place] = logprob;
                scores.entropies[place] = entropy;
            }
            if let (Some(values), Some(value)) = (&mut scores.values, value) {
                for wanted in *wanted {
                    values[wanted.place] = value;
                }
            }
        }
        Ok(())
    })?;
    lock(&policy.spare).extend(blocks.reclaim());
    Ok(scores)
}

fn outside(token: i32, vocabulary: usize) -> Error {
    Error::usage(
        format!("token {token} is outside the vocabulary of {vocabulary}"),
        "the rollouts and the model must use the same tokenizer",
    )
}

/// The tokens whose hidden states are needed, per rollout: all but the last.
fn sequences(policy: &LocalPolicy, batch: &TokenBatch) -> Result<Vec<Vec<i32>>> {
    if batch.mask.len() != batch.tokens.len() {
        return Err(Error::usage(
            format!("{} tokens have {} mask values", batch.tokens.len(), batch.mask.len()),
            "a batch has one mask value per token",
        ));
    }
    (0..batch.len())
        .map(|rollout| {
            let (prompt, response) = (batch.prompt(rollout), batch.response(rollout));
            policy.check_length(prompt.len() + response.len())?;
            let Some((_, before)) = response.split_last() else { return Ok(Vec::new()) };
            if prompt.is_empty() {
                return Err(Error::usage(
                    format!(
                        "rollout {rollout} of the batch has no prompt, so its first token has no probability"
                    ),
                    "begin prompts with at least one token",
                ));
            }
            Ok([prompt, before].concat())
        })
        .collect()
}
