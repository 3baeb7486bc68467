//! Generation and scoring on the CPU with a key-value cache that computes every common prefix once.
//!
//! A row of the batch is one token with a table of the blocks that hold what precedes it. Rows share
//! blocks, not arithmetic: each row's numbers are sums in a fixed order over its own inputs, so they have
//! the same bits alone, in any batch and on any number of threads.

mod attention;
mod blocks;
mod matrix;
mod network;
mod prefixes;
mod retained;
mod sampling;
mod score;
mod vector;

use std::sync::{Mutex, MutexGuard, PoisonError};

use self::blocks::{BlockShape, Blocks, Table};
use self::network::{Network, Rotations, Row, Workspace};
use self::prefixes::Plan;
use self::retained::Retained;
use self::sampling::Distribution;
use super::config::ModelConfig;
use super::weights::Weights;
use crate::policy::{
    Continuation, Generated, Policy, Sampling, TokenBatch, TokenScores, softmax_temperature,
};
use crate::{Error, Result};

/// Rows that go through the network together, which bounds the memory of a long prompt.
const ROWS: usize = 1056;
/// Keys and values kept between calls unless told otherwise, in bytes.
const RETAINED: usize = 64 << 20;

/// A model in this process at one version of its weights, as a policy.
///
/// ```
/// use meed_operators::model::{LocalPolicy, config::ModelConfig, weights::Weights};
/// use meed_operators::policy::{Continuation, Policy, Sampling};
/// use meed_operators::random::RandomKey;
/// let key = RandomKey::new(7, 0, "", "");
/// let weights = Weights::new(&ModelConfig::named("32x2x4x64", 97)?, key)?;
/// let policy = LocalPolicy::new(&weights, 0)?;
/// let ask = Continuation { context: vec![5, 6, 7], key, position: 0, max_tokens: 4 };
/// let alone = policy.generate(&[ask.clone()], &Sampling::default())?;
/// let twice = policy.generate(&[ask.clone(), ask], &Sampling::default())?;
/// assert_eq!(alone[0].tokens.len(), 4);
/// assert_eq!(alone[0], twice[1]);
/// # Ok::<(), meed_operators::Error>(())
/// ```
#[derive(Debug)]
pub struct LocalPolicy {
    network: Network,
    version: i64,
    retained: Mutex<Retained>,
    /// Memory of blocks, kept because fresh pages are slow.
    spare: Mutex<Vec<Vec<f32>>>,
}

impl LocalPolicy {
    /// A policy of these weights as they are now; later changes to them do not reach it.
    pub fn new(weights: &Weights, version: i64) -> Result<Self> {
        Self::with_retained_bytes(weights, version, RETAINED)
    }

    /// The same with a bound on the keys and values that are kept between calls: the next turn of an
    /// episode then computes only its new tokens. Results do not depend on it.
    pub fn with_retained_bytes(weights: &Weights, version: i64, bytes: usize) -> Result<Self> {
        let network = Network::new(weights)?;
        let capacity = bytes / (4 * BlockShape::new(network.config()).elements());
        let retained = Mutex::new(Retained::new(capacity));
        Ok(LocalPolicy { network, version, retained, spare: Mutex::default() })
    }

    /// Sizes and variants of the model.
    pub fn config(&self) -> &ModelConfig {
        self.network.config()
    }

    fn blocks(&self) -> Blocks {
        Blocks::new(BlockShape::new(self.config()), std::mem::take(&mut *lock(&self.spare)))
    }

    fn check_length(&self, tokens: usize) -> Result<()> {
        let limit = self.config().max_positions;
        if tokens <= limit {
            return Ok(());
        }
        Err(Error::usage(
            format!("a sequence of {tokens} tokens is longer than the model's {limit} positions"),
            "shorten the prompts or the episodes",
        ))
    }

    /// The hidden states of all rows, computed some at a time and handed to `visit` with the first row's
    /// number.
    fn forward(
        &self,
        rows: &[Row],
        tables: &[Table],
        blocks: &mut Blocks,
        rotations: &Rotations,
        workspace: &mut Workspace,
        mut visit: impl FnMut(usize, &[f32]) -> Result<()>,
    ) -> Result<()> {
        for (number, rows) in rows.chunks(ROWS).enumerate() {
            self.network.forward(rows, tables, blocks, rotations, workspace)?;
            visit(number * ROWS, workspace.stream())?;
        }
        Ok(())
    }
}

/// A continuation that is not finished.
struct Active {
    continuation: usize,
    limit: usize,
}

/// What a draw gave.
#[derive(Debug, Clone, Copy)]
struct Drawn {
    token: i32,
    logprob: f32,
    entropy: f32,
}

impl Policy for LocalPolicy {
    fn version(&self) -> i64 {
        self.version
    }

    /// Continues every context, until a stop token, `max_tokens`, or the model's last position.
    fn generate(&self, continuations: &[Continuation], sampling: &Sampling) -> Result<Vec<Generated>> {
        sampling::check(sampling)?;
        let mut generated = vec![Generated::default(); continuations.len()];
        let mut active = Vec::new();
        for (continuation, ask) in continuations.iter().enumerate() {
            self.check_length(ask.context.len())?;
            if ask.context.is_empty() {
                return Err(Error::usage(
                    "a context without tokens cannot be continued",
                    "begin prompts with at least one token",
                ));
            }
            let limit = ask.max_tokens.min(self.config().max_positions - ask.context.len());
            if limit > 0 {
                active.push(Active { continuation, limit });
            }
        }
        let contexts: Vec<&[i32]> =
            active.iter().map(|active| &*continuations[active.continuation].context).collect();
        let longest = contexts.iter().zip(&active).map(|(tokens, active)| tokens.len() + active.limit).max();
        let rotations = Rotations::new(self.config(), longest.unwrap_or(0));
        let mut workspace = Workspace::default();
        let mut blocks = self.blocks();
        let plan = {
            let mut retained = lock(&self.retained);
            Plan::new(&contexts, &mut blocks, |tokens, blocks| retained.find(tokens, blocks))
        };
        let mut tables = vec![Table::default(); continuations.len()];
        // Continuations of one context draw from the same row.
        let mut sharing: Vec<Vec<usize>> = vec![Vec::new(); plan.tables.len()];
        for (active, distinct) in active.iter().zip(&plan.distinct) {
            let table = &plan.tables[*distinct];
            tables[active.continuation] = Table::after(table.prefix(table.len()));
            sharing[*distinct].push(active.continuation);
        }
        let last: Vec<Option<usize>> =
            plan.row_of.iter().map(|rows| rows.last().copied().flatten()).collect();
        self.forward(&plan.rows, &plan.tables, &mut blocks, &rotations, &mut workspace, |first, stream| {
            let count = stream.len() / self.config().hidden;
            let here =
                |row: &Option<usize>| row.and_then(|row| row.checked_sub(first)).filter(|r| *r < count);
            let (rows, sharing): (Vec<usize>, Vec<&[usize]>) = last
                .iter()
                .zip(&sharing)
                .filter_map(|(row, sharing)| Some((here(row)?, sharing.as_slice())))
                .unzip();
            self.draw(stream, &rows, &sharing, continuations, sampling, &mut generated)
        })?;
        loop {
            active.retain(|active| {
                let generated = &mut generated[active.continuation];
                generated.stopped =
                    generated.tokens.last().is_some_and(|token| sampling.stop_tokens.contains(token));
                !generated.stopped && generated.tokens.len() < active.limit
            });
            if active.is_empty() {
                break;
            }
            let mut rows = Vec::with_capacity(active.len());
            for Active { continuation, .. } in &active {
                let Some(token) = generated[*continuation].tokens.last().copied() else { continue };
                let table = &mut tables[*continuation];
                let position = table.len();
                let (block, slot) = table.push(&mut blocks);
                rows.push(Row { token, position, table: *continuation, block, slot });
            }
            let single: Vec<[usize; 1]> = active.iter().map(|active| [active.continuation]).collect();
            self.forward(&rows, &tables, &mut blocks, &rotations, &mut workspace, |first, stream| {
                let rows: Vec<usize> = (0..stream.len() / self.config().hidden).collect();
                let sharing: Vec<&[usize]> =
                    single[first..first + rows.len()].iter().map(|one| one.as_slice()).collect();
                self.draw(stream, &rows, &sharing, continuations, sampling, &mut generated)
            })?;
        }
        self.finish(continuations, &generated, &tables, blocks);
        Ok(generated)
    }

    fn score(&self, batch: &TokenBatch, temperature: f64) -> Result<TokenScores> {
        score::score(self, batch, softmax_temperature(temperature)?)
    }
}

impl LocalPolicy {
    /// Draws the next token of every continuation that shares each of the rows.
    fn draw(
        &self,
        stream: &[f32],
        rows: &[usize],
        sharing: &[&[usize]],
        continuations: &[Continuation],
        sampling: &Sampling,
        generated: &mut [Generated],
    ) -> Result<()> {
        let so_far = &*generated;
        let drawn = self.network.heads(stream, rows, |place, logits, _| {
            let mut distribution = Distribution::default();
            distribution.set(logits, sampling.temperature)?;
            let draw = |continuation: &usize| {
                let ask = &continuations[*continuation];
                let position = ask.position + so_far[*continuation].tokens.len() as u64;
                let token = distribution.draw(sampling, ask.key, position);
                let logprob = distribution.logprob(logits[token]) as f32;
                Drawn { token: token as i32, logprob, entropy: distribution.entropy() as f32 }
            };
            Ok(sharing[place].iter().map(draw).collect::<Vec<_>>())
        })?;
        for (continuation, drawn) in sharing.iter().copied().flatten().zip(drawn.into_iter().flatten()) {
            let generated = &mut generated[*continuation];
            generated.tokens.push(drawn.token);
            generated.logprobs.push(drawn.logprob);
            generated.entropies.push(drawn.entropy);
        }
        Ok(())
    }

    /// Keeps what later calls may continue, and the memory of the rest.
    fn finish(
        &self,
        continuations: &[Continuation],
        generated: &[Generated],
        tables: &[Table],
        blocks: Blocks,
    ) {
        let mut retained = lock(&self.retained);
        for ((ask, generated), table) in continuations.iter().zip(generated).zip(tables) {
            let mut tokens = ask.context.clone();
            tokens.extend_from_slice(&generated.tokens);
            tokens.truncate(table.len());
            retained.keep(&tokens, table, &blocks);
        }
        let mut spare = blocks.reclaim();
        spare.extend(retained.trim());
        lock(&self.spare).extend(spare);
    }
}

/// A lock whose holder cannot have left anything half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
