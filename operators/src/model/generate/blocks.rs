//! Keys and values of past tokens, in blocks that sequences share.

use std::sync::Arc;

use rayon::prelude::*;

use super::vector::LANES;
use crate::model::config::ModelConfig;
use crate::{Error, Result};

/// Tokens in a block; as many as lanes, so that a block's scores are one vector.
pub(super) const BLOCK: usize = LANES;

/// Where the parts of a block lie: per layer and key-value head, the keys `[head_dim, BLOCK]` (so that
/// the scores of all its tokens are computed side by side) and then the values `[BLOCK, stride]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockShape {
    layers: usize,
    heads: usize,
    head_dim: usize,
    /// Length of a value row: the head's width rounded up to whole vectors.
    stride: usize,
}

impl BlockShape {
    pub(super) fn new(config: &ModelConfig) -> Self {
        BlockShape {
            layers: config.layers,
            heads: config.key_value_heads,
            head_dim: config.head_dim,
            stride: config.head_dim.next_multiple_of(LANES),
        }
    }

    /// Key-value heads.
    pub(super) fn heads(&self) -> usize {
        self.heads
    }

    /// Width of a head.
    pub(super) fn head_dim(&self) -> usize {
        self.head_dim
    }

    fn head(&self) -> usize {
        BLOCK * (self.head_dim + self.stride)
    }

    /// Numbers in a block.
    pub(super) fn elements(&self) -> usize {
        self.layers * self.heads * self.head()
    }

    /// Keys and values of a head in a block.
    #[inline(always)]
    pub(super) fn parts<'a>(&self, block: &'a [f32], layer: usize, head: usize) -> (&'a [f32], &'a [f32]) {
        let part = &block[(layer * self.heads + head) * self.head()..][..self.head()];
        part.split_at(BLOCK * self.head_dim)
    }

    /// Puts a token's keys and values (head by head) of a layer into a slot.
    fn put(&self, block: &mut [f32], layer: usize, slot: usize, keys: &[f32], values: &[f32]) {
        let heads = block[layer * self.heads * self.head()..].chunks_exact_mut(self.head());
        let given = keys.chunks_exact(self.head_dim).zip(values.chunks_exact(self.head_dim));
        for (part, (keys, values)) in heads.zip(given) {
            let (to_keys, to_values) = part.split_at_mut(BLOCK * self.head_dim);
            for (to, key) in to_keys.chunks_exact_mut(BLOCK).zip(keys) {
                to[slot] = *key;
            }
            to_values[slot * self.stride..][..self.head_dim].copy_from_slice(values);
        }
    }
}

/// The first `tokens` tokens of a block, as part of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) block: usize,
    pub(super) tokens: usize,
}

/// Keys and values of a sequence: what earlier sequences computed, and then blocks of its own.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    spans: Vec<Span>,
    /// Where its own blocks begin: only those may grow.
    own: usize,
    tokens: usize,
}

impl Table {
    /// Continues after spans of others.
    pub(super) fn after(spans: Vec<Span>) -> Self {
        let tokens = spans.iter().map(|span| span.tokens).sum();
        Table { own: spans.len(), spans, tokens }
    }

    /// The spans, in the order of positions.
    pub(super) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The spans of the first tokens.
    pub(super) fn prefix(&self, tokens: usize) -> Vec<Span> {
        let mut left = tokens;
        let mut spans = Vec::new();
        for span in &self.spans {
            if left == 0 {
                break;
            }
            let tokens = span.tokens.min(left);
            spans.push(Span { block: span.block, tokens });
            left -= tokens;
        }
        spans
    }

    /// Makes room for one more token: its block and slot.
    pub(super) fn push(&mut self, blocks: &mut Blocks) -> (usize, usize) {
        self.tokens += 1;
        if self.spans.len() > self.own
            && let Some(last) = self.spans.last_mut().filter(|last| last.tokens < BLOCK)
        {
            last.tokens += 1;
            return (last.block, last.tokens - 1);
        }
        let block = blocks.add();
        self.spans.push(Span { block, tokens: 1 });
        (block, 0)
    }

    /// Number of tokens.
    pub(super) fn len(&self) -> usize {
        self.tokens
    }
}

/// A place in a block that a row of keys and values goes to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Write {
    pub(super) row: usize,
    pub(super) slot: usize,
}

/// All blocks of one call.
#[derive(Debug)]
pub(super) struct Blocks {
    shape: BlockShape,
    blocks: Vec<Arc<Vec<f32>>>,
    /// Memory of blocks that are no longer used.
    spare: Vec<Vec<f32>>,
}

impl Blocks {
    pub(super) fn new(shape: BlockShape, spare: Vec<Vec<f32>>) -> Self {
        Blocks { shape, blocks: Vec::new(), spare }
    }

    pub(super) fn shape(&self) -> BlockShape {
        self.shape
    }

    /// A block's numbers.
    #[inline(always)]
    pub(super) fn get(&self, block: usize) -> &[f32] {
        &self.blocks[block]
    }

    /// A block to share with later calls.
    pub(super) fn share(&self, block: usize) -> Arc<Vec<f32>> {
        self.blocks[block].clone()
    }

    /// Takes up a full block of an earlier call; it is never written.
    pub(super) fn adopt(&mut self, block: Arc<Vec<f32>>) -> usize {
        self.blocks.push(block);
        self.blocks.len() - 1
    }

    /// A fresh block. What a slot holds before it is written is never read as a token.
    fn add(&mut self) -> usize {
        let memory = self.spare.pop().unwrap_or_else(|| vec![0.0; self.shape.elements()]);
        self.adopt(Arc::new(memory))
    }

    /// Puts rows of keys and values, `stride` apart with the keys at `at` and the values behind them,
    /// where `writes` (one list per block) says.
    pub(super) fn write(
        &mut self,
        layer: usize,
        rows: &[f32],
        stride: usize,
        at: usize,
        writes: &[Vec<Write>],
    ) -> Result<()> {
        let shape = self.shape;
        let width = shape.heads * shape.head_dim;
        let fill = |(block, writes): (&mut Arc<Vec<f32>>, &Vec<Write>)| {
            if writes.is_empty() {
                return Ok(());
            }
            let block = Arc::get_mut(block).ok_or_else(|| {
                Error::usage("a block of the key-value cache is in use elsewhere", "this is a fault in meed")
            })?;
            for write in writes {
                let (keys, values) = rows[write.row * stride + at..][..2 * width].split_at(width);
                shape.put(block, layer, write.slot, keys, values);
            }
            Ok(())
        };
        self.blocks.par_iter_mut().zip(writes).with_min_len(64).try_for_each(fill)
    }

    /// The memory of all blocks that nobody else holds.
    pub(super) fn reclaim(self) -> Vec<Vec<f32>> {
        let mut spare = self.spare;
        spare.extend(self.blocks.into_iter().filter_map(Arc::into_inner));
        spare
    }
}
