//! Causal grouped-query attention over packed sequences that may share prefixes:
//! `softmax(q k^T / sqrt(head_dim)) v` of each token over its ancestors and itself.

use std::ops::Range;
use std::slice::from_ref;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::elementary::{dot, exponentials, max};
use super::product::{Columns, Left, add_product, padded};
use super::{values, vectorize, with_both, with_values};
use crate::model::forest::Forest;

/// Queries whose scores exist at one time.
const TILE: usize = 32;

/// How the heads of a row lie: queries, then keys, then values, each head by head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Query heads.
    pub queries: usize,
    /// Key heads, and value heads; divides `queries`.
    pub keys: usize,
    /// Width of a head.
    pub width: usize,
}

impl Heads {
    /// Width of a row of queries, keys and values.
    pub fn row(&self) -> usize {
        (self.queries + 2 * self.keys) * self.width
    }

    /// Query heads that share a key head.
    fn group(&self) -> usize {
        self.queries / self.keys
    }

    /// Copies one head of the tokens of a path, padded to the width of a tile, times a factor.
    fn gather(
        &self,
        packed: &[f32],
        row: usize,
        head: usize,
        path: &[Range<usize>],
        factor: f32,
    ) -> Vec<f32> {
        let stride = padded(self.width);
        let tokens: usize = path.iter().map(ExactSizeIterator::len).sum();
        let mut lines = vec![0.0; tokens * stride];
        for (line, token) in lines.chunks_exact_mut(stride).zip(path.iter().cloned().flatten()) {
            let source = &packed[token * row + head * self.width..][..self.width];
            line.iter_mut().zip(source).for_each(|(x, source)| *x = source * factor);
        }
        lines
    }

    /// Adds lines of one head to the tokens of a path.
    fn scatter(&self, packed: &mut [f32], lines: &[f32], path: &[Range<usize>], factor: f32) {
        for (line, token) in lines.chunks_exact(padded(self.width)).zip(path.iter().cloned().flatten()) {
            let target = &mut packed[token * self.width..][..self.width];
            target.iter_mut().zip(line).for_each(|(x, line)| *x += line * factor);
        }
    }
}

/// Attention of packed tokens, `[tokens, queries * width]`, from rows of queries, keys and values
/// (`[tokens, (queries + 2 keys) * width]`).
///
/// The scores of a token are the same bits whether its prefix is shared or its own.
///
/// # Errors
/// Rows that do not fit the heads, or another number of tokens than the forest has.
pub fn attention(qkv: &Tensor, forest: &Arc<Forest>, heads: Heads) -> Result<Tensor> {
    qkv.apply_op1(Attention { forest: forest.clone(), heads })
}

/// The gradient of the queries, keys and values from that of the output.
pub(crate) fn attention_backward(
    qkv: &Tensor,
    forest: &Arc<Forest>,
    heads: Heads,
    grad: &Tensor,
) -> Result<Tensor> {
    Attention { forest: forest.clone(), heads }.backward(qkv, grad)
}

/// The attention weights themselves, for one sequence: per query head a matrix `[tokens, tokens]`, row by
/// row, whose row `t` sums to 1 over the first `t + 1` tokens.
///
/// # Errors
/// As [`attention`].
pub fn attention_weights(qkv: &Tensor, heads: Heads) -> Result<Vec<Vec<f32>>> {
    let (tokens, _) = qkv.dims2()?;
    let mut forest = Forest::default();
    forest.push(tokens, None);
    let operation = Attention { forest: Arc::new(forest), heads };
    operation.check(qkv.dims())?;
    with_values(qkv, |qkv| {
        let head = |query: usize| {
            let piece = Piece::new(&operation, qkv, 0, query / heads.group());
            let mut weights = vec![0.0; tokens * tokens];
            for tile in piece.tiles() {
                let queries = operation.queries(qkv, query, 0, &tile);
                let probabilities = piece.probabilities(&queries, &tile);
                let lines = weights[tile.start * tokens..].chunks_exact_mut(tokens);
                for (line, row) in lines.zip(probabilities.chunks_exact(piece.stride)) {
                    line.copy_from_slice(&row[..tokens]);
                }
            }
            weights
        };
        Ok((0..heads.queries).into_par_iter().map(head).collect())
    })
}

struct Attention {
    forest: Arc<Forest>,
    heads: Heads,
}

/// One key head of a segment: its keys and values with those of its ancestors.
struct Piece {
    path: Vec<Range<usize>>,
    /// Tokens of the ancestors.
    before: usize,
    /// Own tokens.
    own: usize,
    /// `[keys, padded width]`.
    keys: Vec<f32>,
    values: Vec<f32>,
    /// `[width, stride]`: keys side by side.
    keys_across: Vec<f32>,
    /// Keys, padded.
    stride: usize,
    width: usize,
}

impl Piece {
    fn new(operation: &Attention, qkv: &[f32], segment: usize, key: usize) -> Self {
        let heads = operation.heads;
        let path = operation.forest.path(segment);
        let own = operation.forest.segments()[segment].tokens.len();
        let keys = heads.gather(qkv, heads.row(), heads.queries + key, &path, 1.0);
        let values = heads.gather(qkv, heads.row(), heads.queries + heads.keys + key, &path, 1.0);
        let tokens = keys.len() / padded(heads.width);
        let stride = padded(tokens);
        let keys_across = across(&keys, heads.width, stride);
        Piece { path, before: tokens - own, own, keys, values, keys_across, stride, width: heads.width }
    }

    /// Ranges of own tokens.
    fn tiles(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let own = self.own;
        (0..own).step_by(TILE).map(move |start| start..(start + TILE).min(own))
    }

    /// Keys that the last query of a tile sees.
    fn visible(&self, tile: &Range<usize>) -> usize {
        self.before + tile.end
    }

    /// Scores' columns.
    fn scores(&self, tile: &Range<usize>) -> Columns {
        Columns { stride: self.stride, width: padded(self.visible(tile)) }
    }

    /// Columns of lines of a head.
    fn lines(&self) -> Columns {
        Columns { stride: padded(self.width), width: padded(self.width) }
    }

    /// Softmax of the scores of a tile's queries, 0 for what they do not see: `[tile, stride]`.
    #[inline(always)]
    fn probabilities(&self, queries: &[f32], tile: &Range<usize>) -> Vec<f32> {
        let mut scores = vec![0.0; tile.len() * self.stride];
        let left = Left { values: queries, row: padded(self.width), column: 1 };
        add_product(&mut scores, left, &self.keys_across, tile.len(), self.width, self.scores(tile));
        for (row, query) in scores.chunks_exact_mut(self.stride).zip(tile.clone()) {
            let (seen, unseen) = row.split_at_mut(self.before + query + 1);
            let most = max(seen);
            let inverse = (1.0 / exponentials(seen, most)) as f32;
            seen.iter_mut().for_each(|p| *p *= inverse);
            unseen.fill(0.0);
        }
        scores
    }
}

/// Lines of a head side by side: `[lines, padded width]` to `[width, stride]`.
fn across(lines: &[f32], width: usize, stride: usize) -> Vec<f32> {
    let mut result = vec![0.0; width * stride];
    for (column, line) in lines.chunks_exact(padded(width)).enumerate() {
        for (row, &x) in line[..width].iter().enumerate() {
            result[row * stride + column] = x;
        }
    }
    result
}

/// Gradients of one key head and its query heads, `[tokens, width]` each.
struct HeadGradients {
    queries: Vec<Vec<f32>>,
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Attention {
    fn check(&self, dims: &[usize]) -> Result<()> {
        let Heads { queries, keys, width } = self.heads;
        let fits = keys > 0 && width > 0 && queries.is_multiple_of(keys);
        if !fits || dims != [self.forest.tokens(), self.heads.row()] {
            bail!("attention: rows {dims:?} do not fit {:?} and {} tokens", self.heads, self.forest.tokens());
        }
        Ok(())
    }

    fn factor(&self) -> f32 {
        (1.0 / (self.heads.width as f64).sqrt()) as f32
    }

    /// The queries of a tile of a segment, already divided by the root of the width.
    fn queries(&self, qkv: &[f32], head: usize, segment: usize, tile: &Range<usize>) -> Vec<f32> {
        let start = self.forest.segments()[segment].tokens.start;
        let tokens = start + tile.start..start + tile.end;
        self.heads.gather(qkv, self.heads.row(), head, from_ref(&tokens), self.factor())
    }

    /// The outputs of the query heads of one key head, `[tokens, width]` each.
    fn forward_head(&self, qkv: &[f32], key: usize) -> Vec<Vec<f32>> {
        let Heads { width, .. } = self.heads;
        let group = self.heads.group();
        let mut outputs = vec![vec![0.0; self.forest.tokens() * width]; group];
        for segment in 0..self.forest.segments().len() {
            let piece = Piece::new(self, qkv, segment, key);
            let start = self.forest.segments()[segment].tokens.start;
            for (offset, output) in outputs.iter_mut().enumerate() {
                for tile in piece.tiles() {
                    let queries = self.queries(qkv, key * group + offset, segment, &tile);
                    let mut lines = vec![0.0; tile.len() * padded(width)];
                    vectorize(
                        #[inline(always)]
                        || {
                            let probabilities = piece.probabilities(&queries, &tile);
                            let left = Left { values: &probabilities, row: piece.stride, column: 1 };
                            let visible = piece.visible(&tile);
                            add_product(&mut lines, left, &piece.values, tile.len(), visible, piece.lines());
                        },
                    );
                    let own = start + tile.start..start + tile.end;
                    self.heads.scatter(output, &lines, from_ref(&own), 1.0);
                }
            }
        }
        outputs
    }

    /// With `P` the probabilities and `G` the gradient of the output: `dV = P^T G`, `dP = G V^T`,
    /// `dS = P (dP - rowsum(dP P))`, `dQ = dS K / sqrt(width)`, `dK = dS^T Q / sqrt(width)`.
    fn backward_head(&self, qkv: &[f32], grad: &[f32], key: usize) -> HeadGradients {
        let Heads { queries: query_heads, width, .. } = self.heads;
        let group = self.heads.group();
        let zeros = vec![0.0; self.forest.tokens() * width];
        let mut gradients =
            HeadGradients { queries: vec![zeros.clone(); group], keys: zeros.clone(), values: zeros };
        for (segment, place) in self.forest.segments().iter().enumerate() {
            let piece = Piece::new(self, qkv, segment, key);
            let values_across = across(&piece.values, width, piece.stride);
            let (mut of_keys, mut of_values) = (vec![0.0; piece.keys.len()], vec![0.0; piece.values.len()]);
            for (offset, of_query) in gradients.queries.iter_mut().enumerate() {
                let head = key * group + offset;
                for tile in piece.tiles() {
                    let own = place.tokens.start + tile.start..place.tokens.start + tile.end;
                    let own = from_ref(&own);
                    let queries = self.queries(qkv, head, segment, &tile);
                    let of_output = self.heads.gather(grad, query_heads * width, head, own, 1.0);
                    let mut of_queries = vec![0.0; queries.len()];
                    vectorize(
                        #[inline(always)]
                        || {
                            let (rows, visible, lines) = (tile.len(), piece.visible(&tile), piece.lines());
                            let probabilities = piece.probabilities(&queries, &tile);
                            let turned = Left { values: &probabilities, row: 1, column: piece.stride };
                            add_product(&mut of_values, turned, &of_output, visible, rows, lines);
                            let mut of_scores = vec![0.0; probabilities.len()];
                            let left = Left { values: &of_output, row: padded(width), column: 1 };
                            add_product(
                                &mut of_scores,
                                left,
                                &values_across,
                                rows,
                                width,
                                piece.scores(&tile),
                            );
                            let both = of_scores.chunks_exact_mut(piece.stride);
                            for (ds, p) in both.zip(probabilities.chunks_exact(piece.stride)) {
                                let sum = dot(ds, p) as f32;
                                ds.iter_mut().zip(p).for_each(|(ds, p)| *ds = p * (*ds - sum));
                            }
                            let left = Left { values: &of_scores, row: piece.stride, column: 1 };
                            add_product(&mut of_queries, left, &piece.keys, rows, visible, lines);
                            let turned = Left { values: &of_scores, row: 1, column: piece.stride };
                            add_product(&mut of_keys, turned, &queries, visible, rows, lines);
                        },
                    );
                    self.heads.scatter(of_query, &of_queries, own, self.factor());
                }
            }
            self.heads.scatter(&mut gradients.keys, &of_keys, &piece.path, 1.0);
            self.heads.scatter(&mut gradients.values, &of_values, &piece.path, 1.0);
        }
        gradients
    }
}

impl Attention {
    fn backward(&self, qkv: &Tensor, grad: &Tensor) -> Result<Tensor> {
        let Heads { keys, width, .. } = self.heads;
        let rows = with_both(qkv, grad, |qkv, grad| {
            let heads: Vec<HeadGradients> =
                (0..keys).into_par_iter().map(|key| self.backward_head(qkv, grad, key)).collect();
            let queries = heads.iter().flat_map(|head| head.queries.iter().map(Vec::as_slice));
            let keys = heads.iter().map(|head| head.keys.as_slice());
            let values = heads.iter().map(|head| head.values.as_slice());
            Ok(interleave(&queries.chain(keys).chain(values).collect::<Vec<_>>(), width))
        })?;
        Tensor::from_vec(rows, qkv.shape(), qkv.device())
    }
}

/// Puts heads of `[tokens, width]` side by side.
fn interleave(heads: &[&[f32]], width: usize) -> Vec<f32> {
    let tokens = heads.first().map_or(0, |head| head.len() / width);
    let mut rows = Vec::with_capacity(heads.len() * tokens * width);
    for token in 0..tokens {
        for head in heads {
            rows.extend_from_slice(&head[token * width..(token + 1) * width]);
        }
    }
    rows
}

impl CustomOp1 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.check(layout.dims())?;
        let (qkv, Heads { queries, keys, width }) = (values(storage, layout)?, self.heads);
        let heads: Vec<Vec<Vec<f32>>> =
            (0..keys).into_par_iter().map(|key| self.forward_head(qkv, key)).collect();
        let heads: Vec<&[f32]> = heads.iter().flatten().map(Vec::as_slice).collect();
        Ok((CpuStorage::F32(interleave(&heads, width)), (self.forest.tokens(), queries * width).into()))
    }

    fn bwd(&self, qkv: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        self.backward(qkv, grad).map(Some)
    }
}
