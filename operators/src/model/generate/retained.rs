//! Keys and values kept from one call to the next, so that the next turn of an episode computes only
//! what is new.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::blocks::{Blocks, Span, Table};

/// Blocks by the tokens that lead to them, up to a number of blocks; the least recently used go first.
#[derive(Debug)]
pub(super) struct Retained {
    capacity: usize,
    /// Blocks by the block before them (0 for none) and their own tokens.
    entries: BTreeMap<(u64, Vec<i32>), Entry>,
    next: u64,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    block: Arc<Vec<f32>>,
    used: u64,
}

impl Retained {
    pub(super) fn new(capacity: usize) -> Self {
        Retained { capacity, entries: BTreeMap::new(), next: 1, clock: 0 }
    }

    /// Spans that hold the longest kept prefix of the tokens, but never the last token, whose hidden state
    /// is wanted.
    pub(super) fn find(&mut self, tokens: &[i32], blocks: &mut Blocks) -> Vec<Span> {
        self.clock += 1;
        let mut spans = Vec::new();
        let (mut parent, mut rest) = (0, &tokens[..tokens.len().saturating_sub(1)]);
        while !rest.is_empty() {
            // The best child shares the longest prefix; in lexicographic order it is a neighbour.
            let key = (parent, rest.to_vec());
            let below = self.entries.range(..=&key).next_back().map(|(key, _)| key.clone());
            let above = self.entries.range(&key..).next().map(|(key, _)| key.clone());
            let shared = |key: &(u64, Vec<i32>)| key.1.iter().zip(rest).take_while(|(a, b)| a == b).count();
            let best = below
                .into_iter()
                .chain(above)
                .filter(|key| key.0 == parent)
                .max_by_key(|key| (shared(key), key.1.len() == shared(key)));
            let Some(best) = best else { break };
            let common = shared(&best);
            let Some(entry) = self.entries.get_mut(&best).filter(|_| common > 0) else { break };
            entry.used = self.clock;
            spans.push(Span { block: blocks.adopt(entry.block.clone()), tokens: common });
            if common < best.1.len() {
                break;
            }
            parent = entry.id;
            rest = &rest[common..];
        }
        spans
    }

    /// Keeps the blocks of a sequence whose tokens have all been computed.
    pub(super) fn keep(&mut self, tokens: &[i32], table: &Table, blocks: &Blocks) {
        self.clock += 1;
        let (mut parent, mut rest) = (0, tokens);
        for span in table.spans() {
            if span.tokens > rest.len() {
                break;
            }
            let (own, after) = rest.split_at(span.tokens);
            rest = after;
            let (next, clock) = (self.next, self.clock);
            let entry = self.entries.entry((parent, own.to_vec())).or_insert_with(|| Entry {
                id: next,
                block: blocks.share(span.block),
                used: clock,
            });
            entry.used = clock;
            parent = entry.id;
            self.next += u64::from(parent == next);
        }
    }

    /// Drops the least recently used blocks above the capacity, and returns the memory of those that
    /// nobody else holds.
    pub(super) fn trim(&mut self) -> Vec<Vec<f32>> {
        // By use, latest first; of one sequence the later blocks, which have the higher ids, go first.
        let rank = |entry: &Entry| (Reverse(entry.used), entry.id);
        let mut ranks: Vec<_> = self.entries.values().map(rank).collect();
        ranks.sort_unstable();
        let Some(limit) = ranks.get(self.capacity) else { return Vec::new() };
        let old = self.entries.extract_if(.., |_, entry| rank(entry) >= *limit);
        old.filter_map(|(_, entry)| Arc::try_unwrap(entry.block).ok()).collect()
    }
}
