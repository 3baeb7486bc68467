//! Attention of tokens to what precedes them, over the blocks of their sequences.

use pulp::{Arch, Simd, WithSimd};

use super::blocks::{BLOCK, Blocks, Span, Table};
use super::matrix::padded;
use super::network::Row;
use super::vector::{LANES, exp, total};

/// Attention of rows in a layer. Scores are dot products over the head's width in its order, and sums
/// over tokens run in the order of positions, so neither blocks nor batch change a bit.
pub(super) struct Attention<'a> {
    pub(super) blocks: &'a Blocks,
    pub(super) layer: usize,
    pub(super) rows: &'a [Row],
    pub(super) tables: &'a [Table],
    /// Per row the queries, head by head, and more.
    pub(super) projected: &'a [f32],
    /// Numbers per row in `projected`, and how many of them are queries.
    pub(super) widths: (usize, usize),
    /// Memory for the scores of a row.
    pub(super) scores: &'a mut Vec<f32>,
    /// [`padded`] rows of attended values, head by head.
    pub(super) out: &'a mut [f32],
}

impl Attention<'_> {
    /// Fills `out`.
    pub(super) fn run(self) {
        Arch::new().dispatch(self);
    }
}

impl WithSimd for Attention<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Attention { blocks, layer, rows, tables, projected, widths, scores, out } = self;
        let (width, queries) = widths;
        let inputs = projected.chunks_exact(width);
        for ((row, input), out) in rows.iter().zip(inputs).zip(out.chunks_exact_mut(padded(queries))) {
            let sequence = (tables[row.table].spans(), row.position + 1);
            attend(blocks, layer, sequence, &input[..queries], scores, &mut out[..queries]);
        }
    }
}

/// Attention of one row to the first `length` tokens of the spans.
#[inline(always)]
fn attend(
    blocks: &Blocks,
    layer: usize,
    (spans, length): (&[Span], usize),
    queries: &[f32],
    scores: &mut Vec<f32>,
    out: &mut [f32],
) {
    let shape = blocks.shape();
    let head_dim = shape.head_dim();
    let scale = 1.0 / (head_dim as f32).sqrt();
    let group = queries.len() / head_dim / shape.heads();
    scores.clear();
    scores.resize(length.next_multiple_of(LANES) + BLOCK, 0.0);
    let heads = queries.chunks_exact(head_dim).zip(out.chunks_exact_mut(head_dim)).enumerate();
    for (head, (query, out)) in heads {
        let key_head = head / group;
        let mut at = 0;
        for span in spans {
            if at >= length {
                break;
            }
            let (keys, _) = shape.parts(blocks.get(span.block), layer, key_head);
            let (keys, _) = keys.as_chunks::<BLOCK>();
            let sums = dot(keys, query);
            // Slots behind the span are overwritten by the next one or cut off below.
            for lane in 0..BLOCK {
                scores[at + lane] = sums[lane] * scale;
            }
            at += span.tokens;
        }
        let inverse = softmax(&mut scores[..length.next_multiple_of(LANES)], length);
        // Two vectors at a time hide the latency of the additions.
        for (pair, out) in out.chunks_mut(2 * LANES).enumerate() {
            let column = 2 * pair;
            let (mut first, mut second) = ([0.0; LANES], [0.0; LANES]);
            let mut at = 0;
            for span in spans {
                if at >= length {
                    break;
                }
                let (_, values) = shape.parts(blocks.get(span.block), layer, key_head);
                let (values, _) = values.as_chunks::<LANES>();
                let step = values.len() / BLOCK;
                let seen = span.tokens.min(length - at);
                let weights = &scores[at..at + seen];
                if out.len() > LANES {
                    for (value, weight) in values.chunks_exact(step).zip(weights) {
                        let (left, right) = (&value[column], &value[column + 1]);
                        for lane in 0..LANES {
                            first[lane] = weight.mul_add(left[lane], first[lane]);
                        }
                        for lane in 0..LANES {
                            second[lane] = weight.mul_add(right[lane], second[lane]);
                        }
                    }
                } else {
                    for (value, weight) in values.chunks_exact(step).zip(weights) {
                        let left = &value[column];
                        for lane in 0..LANES {
                            first[lane] = weight.mul_add(left[lane], first[lane]);
                        }
                    }
                }
                at += span.tokens;
            }
            for (out, sum) in out.iter_mut().zip(first.iter().chain(&second)) {
                *out = sum * inverse;
            }
        }
    }
}

/// Dot products of a query with a block's keys: four sums over every fourth element, added at the end,
/// so that four additions are under way.
#[inline(always)]
fn dot(keys: &[[f32; BLOCK]], query: &[f32]) -> [f32; BLOCK] {
    let mut sums = [[0.0; BLOCK]; 4];
    let (quads, rest) = keys.as_chunks::<4>();
    let (query_quads, query_rest) = query.as_chunks::<4>();
    for (keys, query) in quads.iter().zip(query_quads) {
        for part in 0..4 {
            for lane in 0..BLOCK {
                sums[part][lane] = query[part].mul_add(keys[part][lane], sums[part][lane]);
            }
        }
    }
    for (key, query) in rest.iter().zip(query_rest) {
        for lane in 0..BLOCK {
            sums[0][lane] = query.mul_add(key[lane], sums[0][lane]);
        }
    }
    let mut total = [0.0; BLOCK];
    for lane in 0..BLOCK {
        total[lane] = (sums[0][lane] + sums[1][lane]) + (sums[2][lane] + sums[3][lane]);
    }
    total
}

/// Turns scores into `e^(score - max)`, 0 behind `length`, and returns the inverse of their sum.
#[inline(always)]
fn softmax(scores: &mut [f32], length: usize) -> f32 {
    scores[length..].fill(f32::NEG_INFINITY);
    let (chunks, _) = scores.as_chunks_mut::<LANES>();
    let mut highest = [f32::NEG_INFINITY; LANES];
    for chunk in chunks.iter() {
        for (highest, score) in highest.iter_mut().zip(chunk) {
            *highest = if *score > *highest { *score } else { *highest };
        }
    }
    let highest = highest.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0.0; LANES];
    for chunk in chunks {
        for (sum, score) in sums.iter_mut().zip(chunk) {
            *score = if *score == f32::NEG_INFINITY { 0.0 } else { exp(*score - highest) };
            *sum += *score;
        }
    }
    1.0 / total(&sums)
}
