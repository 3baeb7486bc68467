//! The prefix tree of a group beside a trie with a node per token: time, and the most memory held at once.
//!
//! `cargo run --release -p meed-operators --example prefix_tree` prints a table. Both count the same tokens,
//! which is checked. The tree is also built by the operator, with all of its columns.

#![allow(clippy::print_stdout, clippy::expect_used)]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::Field;
use meed_operators::Result;
use meed_operators::credit::Unit;
use meed_operators::signals::{AddSignals, PrefixTree};
use meed_operators::tree::{Backup, TokenTree};
use peak_alloc::PeakAlloc;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const ROUNDS: usize = 9;

/// The median time of some rounds, and the bytes that one of them holds at most beyond what was held before.
fn measured<T>(mut work: impl FnMut() -> T) -> (Duration, usize) {
    let held = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(work());
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    (times[ROUNDS / 2], MEMORY.peak_usage() - held)
}

/// Rollouts of so many tokens; each but the first goes on from an earlier one, from a random place on.
fn forked(rollouts: usize, length: usize) -> Vec<Vec<i32>> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut all: Vec<Vec<i32>> = Vec::with_capacity(rollouts);
    for rollout in 0..rollouts {
        let mut tokens = match rollout {
            0 => Vec::new(),
            _ => {
                let parent = &all[random.random_range(0..rollout)];
                parent[..random.random_range(1..length)].to_vec()
            }
        };
        tokens.extend((tokens.len()..length).map(|_| random.random_range(0..32_000)));
        all.push(tokens);
    }
    all
}

/// A trie with a node per token: the number of its nodes without the root.
fn trie(rollouts: &[Vec<i32>]) -> usize {
    let mut children: Vec<HashMap<i32, usize>> = vec![HashMap::new()];
    let mut visits = vec![0];
    for tokens in rollouts {
        let mut node = 0;
        for &token in tokens {
            let next = children.len();
            let child = *children[node].entry(token).or_insert(next);
            if child == next {
                children.push(HashMap::new());
                visits.push(0);
            }
            node = child;
            visits[node] += 1;
        }
    }
    children.len() - 1
}

/// The rollouts as a unit of one group.
fn unit(rollouts: &[Vec<i32>]) -> Result<Unit> {
    let list = |values: ArrayRef| -> ArrayRef {
        let field = Arc::new(Field::new("element", values.data_type().clone(), true));
        Arc::new(ListArray::new(
            field,
            OffsetBuffer::from_lengths(rollouts.iter().map(Vec::len)),
            values,
            None,
        ))
    };
    let rows = rollouts.len();
    let tokens: usize = rollouts.iter().map(Vec::len).sum();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("iteration", Arc::new(Int64Array::from(vec![0; rows]))),
        ("group_id", Arc::new(StringArray::from(vec!["g"; rows]))),
        ("rollout_id", Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("r{row}"))))),
        ("reward", Arc::new(Float64Array::from_iter_values((0..rows).map(|row| (row % 2) as f64)))),
        ("token_ids", list(Arc::new(Int32Array::from_iter_values(rollouts.iter().flatten().copied())))),
        ("token_mask", list(Arc::new(BooleanArray::from(vec![true; tokens])))),
    ];
    Unit::new(RecordBatch::try_from_iter(columns)?)
}

fn row(name: &str, rollouts: &[Vec<i32>]) -> Result<()> {
    let slices: Vec<Option<&[i32]>> = rollouts.iter().map(|tokens| Some(tokens.as_slice())).collect();
    let tree = TokenTree::new(&slices);
    assert_eq!(tree.tokens(), trie(rollouts), "both trees have the same tokens");
    let (forks, nodes, tokens) = (tree.tree().forks(), tree.tree().nodes() - 1, tree.tokens());
    let (own, own_bytes) = measured(|| TokenTree::new(&slices));
    let (peer, peer_bytes) = measured(|| trie(rollouts));
    let unit = unit(rollouts)?;
    let operator = PrefixTree { value: "reward".into(), backup: Backup::Leaves };
    let (applied, _) = measured(|| operator.apply(&unit).expect("columns"));
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{name:28} {forks:5} {nodes:6} {tokens:9} {:9.3} {:9.3} {:9.2} {:8.0}x {:9.1} {:9.0} {:8.0}x",
        milliseconds(own),
        milliseconds(applied),
        milliseconds(peer),
        peer.as_secs_f64() / own.as_secs_f64(),
        own_bytes as f64 / 1024.0,
        peer_bytes as f64 / 1024.0,
        peer_bytes as f64 / own_bytes as f64,
    );
    Ok(())
}

fn main() -> Result<()> {
    println!(
        "{:28} {:>5} {:>6} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "rollouts x tokens",
        "forks",
        "nodes",
        "distinct",
        "tree ms",
        "operator",
        "trie ms",
        "faster",
        "tree KiB",
        "trie KiB",
        "smaller"
    );
    row("64 x 8192 forked", &forked(64, 8192))?;
    row("64 x 8192 equal", &vec![forked(1, 8192).remove(0); 64])?;
    for length in [1024, 2048, 4096, 8192, 16384] {
        row(&format!("64 x {length} forked"), &forked(64, length))?;
    }
    for rollouts in [8, 16, 32, 64, 128, 256] {
        row(&format!("{rollouts} x 8192 forked"), &forked(rollouts, 8192))?;
    }
    Ok(())
}
