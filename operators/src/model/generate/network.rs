//! The forward pass of packed rows: one row per token, each with the sequence that precedes it.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::attention::Attention;
use super::blocks::{Blocks, Table, Write};
use super::matrix::{Matrix, Store, padded};
use super::vector::{gate, head_norm, rms_norm, rotate};
use crate::model::config::ModelConfig;
use crate::model::weights::Weights;
use crate::{Error, Result};

/// A token to compute: its keys and values go to a slot of a block of its sequence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) token: i32,
    pub(super) position: usize,
    /// Which table precedes it.
    pub(super) table: usize,
    pub(super) block: usize,
    pub(super) slot: usize,
}

/// Cosines and sines of every rotation, position by position.
#[derive(Debug)]
pub(super) struct Rotations {
    half: usize,
    cosines: Vec<f32>,
    sines: Vec<f32>,
}

impl Rotations {
    /// Those of the first positions.
    pub(super) fn new(config: &ModelConfig, positions: usize) -> Self {
        let frequencies = config.rope_frequencies();
        let angles = (0..positions)
            .flat_map(|position| frequencies.iter().map(move |frequency| position as f64 * frequency));
        let (sines, cosines) = angles.map(|angle| (angle.sin() as f32, angle.cos() as f32)).unzip();
        Rotations { half: frequencies.len(), cosines, sines }
    }

    fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let range = position * self.half..(position + 1) * self.half;
        (&self.cosines[range.clone()], &self.sines[range])
    }
}

/// One transformer block's weights.
#[derive(Debug)]
struct Layer {
    attention_norm: Vec<f32>,
    /// Queries, keys and values side by side.
    projections: Matrix,
    query_key_norms: Option<(Vec<f32>, Vec<f32>)>,
    output: Matrix,
    feed_forward_norm: Vec<f32>,
    /// Gates and ups side by side.
    gate_up: Matrix,
    down: Matrix,
}

/// A model's weights packed for inference; adapters are merged in.
#[derive(Debug)]
pub(super) struct Network {
    config: ModelConfig,
    embedding: Vec<f32>,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    head: Matrix,
    value_head: Option<(Vec<f32>, f32)>,
}

/// Memory of the forward pass, kept from step to step because fresh pages are slow.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    stream: Vec<f32>,
    projected: Vec<f32>,
    writes: Vec<Vec<Write>>,
    scratch: Vec<Scratch>,
}

impl Workspace {
    /// The residual stream of every row after the last forward pass, `[rows, hidden]`.
    pub(super) fn stream(&self) -> &[f32] {
        &self.stream
    }
}

/// Buffers of one share of the rows.
#[derive(Debug, Default)]
struct Scratch {
    normed: Vec<f32>,
    attended: Vec<f32>,
    gates: Vec<f32>,
    gated: Vec<f32>,
    scores: Vec<f32>,
}

impl Network {
    pub(super) fn new(weights: &Weights) -> Result<Self> {
        let weights = weights.merged()?;
        let config = weights.config().clone();
        let values = |name: String| weights.parameter(&name)?.values();
        let bias = |names: &[String]| -> Result<Option<Vec<f32>>> {
            let parts: Vec<_> = names.iter().filter_map(|name| weights.parameter(name).ok()).collect();
            if parts.is_empty() {
                return Ok(None);
            }
            let parts = parts.iter().map(|part| part.values()).collect::<Result<Vec<_>>>()?;
            Ok(Some(parts.concat()))
        };
        let matrix = |prefix: &str, names: &[&str], inputs: usize| -> Result<Matrix> {
            let part = |name: &&str| values(format!("{prefix}.{name}.weight"));
            let parts = names.iter().map(part).collect::<Result<Vec<_>>>()?;
            let biases: Vec<String> = names.iter().map(|name| format!("{prefix}.{name}.bias")).collect();
            let parts: Vec<&[f32]> = parts.iter().map(Vec::as_slice).collect();
            Ok(Matrix::new(&parts, inputs, bias(&biases)?))
        };
        let mut layers = Vec::new();
        for layer in 0..config.layers {
            let prefix = format!("model.layers.{layer}");
            let attention = format!("{prefix}.self_attn");
            let feed_forward = format!("{prefix}.mlp");
            let query_key_norms = if config.query_key_norm {
                let norm = |name: &str| values(format!("{attention}.{name}.weight"));
                Some((norm("q_norm")?, norm("k_norm")?))
            } else {
                None
            };
            layers.push(Layer {
                attention_norm: values(format!("{prefix}.input_layernorm.weight"))?,
                projections: matrix(&attention, &["q_proj", "k_proj", "v_proj"], config.hidden)?,
                query_key_norms,
                output: matrix(&attention, &["o_proj"], config.query_width())?,
                feed_forward_norm: values(format!("{prefix}.post_attention_layernorm.weight"))?,
                gate_up: matrix(&feed_forward, &["gate_proj", "up_proj"], config.hidden)?,
                down: matrix(&feed_forward, &["down_proj"], config.feed_forward)?,
            });
        }
        let embedding = values("model.embed_tokens.weight".into())?;
        let head = if config.tied_embeddings {
            Matrix::new(&[&embedding], config.hidden, None)
        } else {
            Matrix::new(&[&values("lm_head.weight".into())?], config.hidden, None)
        };
        let value_head = if config.value_head {
            let bias = values("value_head.bias".into())?;
            Some((values("value_head.weight".into())?, bias.first().copied().unwrap_or(0.0)))
        } else {
            None
        };
        let norm = values("model.norm.weight".into())?;
        Ok(Network { config, embedding, layers, norm, head, value_head })
    }

    pub(super) fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Computes the residual stream of every row after the last block, see [`Workspace::stream`]. Keys and
    /// values of the rows are added to the blocks; a row may precede others of the same call.
    ///
    /// # Errors
    /// A token outside the vocabulary.
    pub(super) fn forward(
        &self,
        rows: &[Row],
        tables: &[Table],
        blocks: &mut Blocks,
        rotations: &Rotations,
        workspace: &mut Workspace,
    ) -> Result<()> {
        let config = &self.config;
        let Workspace { stream, projected, writes, scratch } = workspace;
        stream.clear();
        for row in rows {
            stream.extend_from_slice(self.embed(row.token)?);
        }
        writes.iter_mut().for_each(Vec::clear);
        for (index, row) in rows.iter().enumerate() {
            if writes.len() <= row.block {
                writes.resize_with(row.block + 1, Vec::new);
            }
            writes[row.block].push(Write { row: index, slot: row.slot });
        }
        let share = share(rows.len());
        scratch.resize_with(rows.len().div_ceil(share), Scratch::default);
        let width = config.query_width() + 2 * config.key_value_width();
        projected.resize(rows.len() * width, 0.0);
        for (number, layer) in self.layers.iter().enumerate() {
            projected
                .par_chunks_mut(share * width)
                .zip(stream.par_chunks(share * config.hidden))
                .zip(rows.par_chunks(share))
                .zip(&mut *scratch)
                .for_each(|(((projected, stream), rows), scratch)| {
                    layer.project(config, rows, stream, rotations, scratch, projected);
                });
            blocks.write(number, projected, width, config.query_width(), writes)?;
            let blocks = &*blocks;
            stream
                .par_chunks_mut(share * config.hidden)
                .zip(projected.par_chunks(share * width))
                .zip(rows.par_chunks(share))
                .zip(&mut *scratch)
                .for_each(|(((stream, projected), rows), scratch)| {
                    scratch.attended.resize(rows.len() * padded(config.query_width()), 0.0);
                    let widths = (width, config.query_width());
                    let Scratch { scores, attended: out, .. } = scratch;
                    Attention { blocks, layer: number, rows, tables, projected, widths, scores, out }.run();
                    layer.output.multiply(&scratch.attended, Store::Add, stream);
                    layer.feed_forward(config, scratch, stream);
                });
        }
        Ok(())
    }

    fn embed(&self, token: i32) -> Result<&[f32]> {
        let hidden = self.config.hidden;
        usize::try_from(token)
            .ok()
            .and_then(|token| self.embedding.get(token * hidden..(token + 1) * hidden))
            .ok_or_else(|| {
                Error::usage(
                    format!("token {token} is outside the vocabulary of {}", self.config.vocabulary),
                    "prompts and model must use the same tokenizer",
                )
            })
    }

    /// For some rows of the stream, calls `visit` with the row's place in `rows`, its logits and its value
    /// estimate, and returns the results in order. Logits exist for a few rows at a time only.
    pub(super) fn heads<T: Send>(
        &self,
        stream: &[f32],
        rows: &[usize],
        visit: impl Fn(usize, &[f32], Option<f32>) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let (hidden, vocabulary) = (self.config.hidden, self.config.vocabulary);
        // At most 4 MiB of logits per share, which stay in the cache.
        let share = share(rows.len()).min((1 << 20) / vocabulary).max(1);
        let parts: Vec<Vec<T>> = rows
            .par_chunks(share)
            .enumerate()
            .map_init(Vec::new, |logits, (number, rows)| {
                let gathered: Vec<f32> =
                    rows.iter().flat_map(|row| &stream[row * hidden..(row + 1) * hidden]).copied().collect();
                let mut normed = vec![0.0; rows.len() * padded(hidden)];
                rms_norm(&gathered, &self.norm, self.config.norm_eps as f32, &mut normed);
                logits.resize(rows.len() * vocabulary, 0.0);
                self.head.multiply(&normed, Store::Replace, logits);
                let normed = normed.chunks_exact(padded(hidden));
                logits
                    .chunks_exact(vocabulary)
                    .zip(normed)
                    .enumerate()
                    .map(|(row, (logits, normed))| visit(number * share + row, logits, self.value(normed)))
                    .collect::<Result<Vec<T>>>()
            })
            .collect::<Result<_>>()?;
        Ok(parts.into_iter().flatten().collect())
    }

    fn value(&self, normed: &[f32]) -> Option<f32> {
        let (weights, bias) = self.value_head.as_ref()?;
        let sum: f64 = normed.iter().zip(weights).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
        Some((sum + f64::from(*bias)) as f32)
    }
}

impl Layer {
    /// Queries, keys and values of a share of the rows, normed and rotated.
    fn project(
        &self,
        config: &ModelConfig,
        rows: &[Row],
        stream: &[f32],
        rotations: &Rotations,
        scratch: &mut Scratch,
        projected: &mut [f32],
    ) {
        let eps = config.norm_eps as f32;
        scratch.normed.resize(rows.len() * padded(config.hidden), 0.0);
        rms_norm(stream, &self.attention_norm, eps, &mut scratch.normed);
        self.projections.multiply(&scratch.normed, Store::Replace, projected);
        Arch::new().dispatch(Rotate {
            rows,
            rotations,
            norms: self.query_key_norms.as_ref(),
            eps,
            head_dim: config.head_dim,
            widths: [config.query_width(), config.key_value_width()],
            projected,
        });
    }

    fn feed_forward(&self, config: &ModelConfig, scratch: &mut Scratch, stream: &mut [f32]) {
        let rows = stream.len() / config.hidden;
        let Scratch { normed, gates, gated, .. } = scratch;
        rms_norm(stream, &self.feed_forward_norm, config.norm_eps as f32, normed);
        gates.resize(rows * self.gate_up.outputs(), 0.0);
        self.gate_up.multiply(normed, Store::Replace, gates);
        gated.resize(rows * padded(config.feed_forward), 0.0);
        gate(gates, config.feed_forward, gated);
        self.down.multiply(gated, Store::Add, stream);
    }
}

/// Norms and rotations of queries and keys.
struct Rotate<'a> {
    rows: &'a [Row],
    rotations: &'a Rotations,
    norms: Option<&'a (Vec<f32>, Vec<f32>)>,
    eps: f32,
    head_dim: usize,
    /// Of queries and of keys.
    widths: [usize; 2],
    projected: &'a mut [f32],
}

impl WithSimd for Rotate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let [queries, keys] = self.widths;
        for (row, projected) in self.rows.iter().zip(self.projected.chunks_exact_mut(queries + 2 * keys)) {
            let (cosines, sines) = self.rotations.at(row.position);
            let heads = projected[..queries + keys].chunks_exact_mut(self.head_dim);
            for (number, head) in heads.enumerate() {
                if let Some((query_norm, key_norm)) = self.norms {
                    let norm = if number * self.head_dim < queries { query_norm } else { key_norm };
                    head_norm(head, norm, self.eps);
                }
                rotate(head, cosines, sines);
            }
        }
    }
}

/// Rows that one thread takes at a time: all of few, a fair share of many, and never so many that their
/// buffers leave the cache.
fn share(rows: usize) -> usize {
    const FEW: usize = 16;
    const MANY: usize = 132;
    rows.div_ceil(rayon::current_num_threads()).next_multiple_of(6).clamp(FEW, MANY)
}
