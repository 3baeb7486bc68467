//! The forward pass of a Llama or Qwen over packed tokens, in the form in which it is fast to compute.

use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::config::ModelConfig;
use super::forest::Forest;
use super::ops::{
    Heads, Rotation, attention, attention_weights, linear, residual, rms_norm, rope, swiglu, token_logprobs,
    value_head,
};
use super::packing::Unit;
use super::weights::Weights;
use crate::Result;

/// A weight as the forward pass uses it: one matrix `[in, out]` of several named matrices `[out, in]` side
/// by side, adapters added in; or a vector of several vectors in a row.
#[derive(Debug, Clone)]
pub(super) struct Computed {
    pub tensor: Tensor,
    /// Any of its parts is trained.
    pub trained: bool,
    /// The parts in order: name without `.weight` or `.bias`, and width.
    pub parts: Vec<(String, usize)>,
    /// What follows the names.
    pub suffix: &'static str,
}

/// Numbers of a block's weights among the computed ones.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub input_norm: usize,
    pub query_key_value: usize,
    pub query_key_value_bias: Option<usize>,
    pub query_key_norms: Option<(usize, usize)>,
    pub output: usize,
    pub output_bias: Option<usize>,
    pub post_norm: usize,
    pub gate_up: usize,
    pub down: usize,
}

/// A model's weights, ready to compute: matrices that read the same input are one, transposed, with
/// adapters added in. It does not follow later changes of the weights.
#[derive(Debug, Clone)]
pub struct Transformer {
    config: ModelConfig,
    /// `[vocabulary, hidden]`.
    embedding: Tensor,
    pub(super) embedding_trained: bool,
    pub(super) computed: Vec<Computed>,
    pub(super) blocks: Vec<Block>,
    pub(super) norm: usize,
    pub(super) output: usize,
    pub(super) value: Option<(usize, usize)>,
    frequencies: Vec<f64>,
}

/// What a unit's forward pass gives.
#[derive(Debug)]
pub struct Scored {
    /// Log-probability and entropy of each wanted token, `[wanted, 2]`.
    pub scores: Tensor,
    /// Value before each token, where there is a value head.
    pub values: Option<Tensor>,
    /// What the backward pass needs.
    pub(super) kept: Option<Kept>,
}

/// Intermediate results of a unit.
#[derive(Debug)]
pub(super) struct Kept {
    pub blocks: Vec<KeptBlock>,
    pub rotation: Arc<Rotation>,
    /// Before the last norm, and after it.
    pub x: Tensor,
    pub hidden: Tensor,
    pub temperature: f64,
}

/// Intermediate results of a block, in the order in which they arise.
#[derive(Debug, Clone)]
pub(super) struct KeptBlock {
    pub x: Tensor,
    pub normed: Tensor,
    /// Before the norms of queries and keys, where there are any.
    pub projected: Option<Tensor>,
    pub qkv: Tensor,
    pub attended: Tensor,
    pub middle: Tensor,
    pub post_normed: Tensor,
    pub gate_up: Tensor,
    pub inner: Tensor,
}

impl Transformer {
    /// Makes the weights ready.
    ///
    /// # Errors
    /// Weights that are missing.
    pub fn new(weights: &Weights) -> Result<Self> {
        let config = weights.config().clone();
        let mut build = Build { weights, computed: Vec::new() };
        let mut blocks = Vec::new();
        for layer in 0..config.layers {
            let prefix = format!("model.layers.{layer}");
            let name = |part: &str| format!("{prefix}.{part}");
            let qkv = ["q_proj", "k_proj", "v_proj"].map(|part| name(&format!("self_attn.{part}")));
            let gate_up = ["gate_proj", "up_proj"].map(|part| name(&format!("mlp.{part}")));
            let norms = [name("self_attn.q_norm"), name("self_attn.k_norm")];
            let output = [name("self_attn.o_proj")];
            blocks.push(Block {
                input_norm: build.vector(&[name("input_layernorm")], ".weight")?,
                query_key_value: build.matrix(&qkv)?,
                query_key_value_bias: build.bias(config.attention_bias, &qkv)?,
                query_key_norms: match config.query_key_norm {
                    true => {
                        Some((build.vector(&norms[..1], ".weight")?, build.vector(&norms[1..], ".weight")?))
                    }
                    false => None,
                },
                output: build.matrix(&output)?,
                output_bias: build.bias(config.output_bias, &output)?,
                post_norm: build.vector(&[name("post_attention_layernorm")], ".weight")?,
                gate_up: build.matrix(&gate_up)?,
                down: build.matrix(&[name("mlp.down_proj")])?,
            });
        }
        let norm = build.vector(&["model.norm".to_owned()], ".weight")?;
        let head = if config.tied_embeddings { "model.embed_tokens" } else { "lm_head" };
        let output = build.matrix(&[head.to_owned()])?;
        let value = match config.value_head {
            true => {
                let name = ["value_head".to_owned()];
                Some((build.vector(&name, ".weight")?, build.vector(&name, ".bias")?))
            }
            false => None,
        };
        Ok(Transformer {
            embedding: weights.tensor("model.embed_tokens.weight")?.detach().copy()?,
            embedding_trained: weights.tensor("model.embed_tokens.weight")?.is_variable(),
            computed: build.computed,
            blocks,
            norm,
            output,
            value,
            frequencies: config.rope_frequencies(),
            config,
        })
    }

    /// Sizes and variants.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    pub(super) fn weight(&self, number: usize) -> &Tensor {
        &self.computed[number].tensor
    }

    /// Scores of a unit's tokens, with logits divided by `temperature` (0 counts as 1). Only what is kept
    /// can go backward.
    ///
    /// # Errors
    /// A unit of another model.
    pub fn score(&self, unit: &Unit, temperature: f64, keep: bool) -> Result<Scored> {
        let temperature = if temperature == 0.0 { 1.0 } else { temperature };
        let rotation = self.rotation(&unit.forest);
        let mut x = self.embed(&unit.tokens)?;
        let mut blocks = Vec::new();
        for block in &self.blocks {
            let (next, kept) = self.block(block, &x, &unit.forest, &rotation)?;
            x = next;
            if keep {
                blocks.push(kept);
            }
        }
        let hidden = rms_norm(&x, self.weight(self.norm), self.config.norm_eps)?;
        let (rows, targets) = (unit.rows.clone(), unit.targets.clone());
        let scores = token_logprobs(&hidden, self.weight(self.output), rows, targets, temperature)?;
        let values = match self.value {
            Some((weight, bias)) => {
                Some(value_head(&hidden, self.weight(weight), self.weight(bias), unit.before.clone())?)
            }
            None => None,
        };
        let kept = keep.then_some(Kept { blocks, rotation, x, hidden, temperature });
        Ok(Scored { scores, values, kept })
    }

    /// Hidden states of a sequence after the last norm, `[tokens, hidden]`.
    ///
    /// # Errors
    /// A token outside the vocabulary.
    pub fn hidden_states(&self, tokens: &[u32]) -> Result<Tensor> {
        let (forest, rotation) = self.sequence(tokens);
        let mut x = self.embed(tokens)?;
        for block in &self.blocks {
            x = self.block(block, &x, &forest, &rotation)?.0;
        }
        Ok(rms_norm(&x, self.weight(self.norm), self.config.norm_eps)?)
    }

    /// The attention weights of a sequence, layer by layer: per query head a matrix `[tokens, tokens]`, row
    /// by row, whose row `t` is the attention that token `t` pays to each token and sums to 1.
    ///
    /// # Errors
    /// A token outside the vocabulary.
    pub fn attentions(&self, tokens: &[u32]) -> Result<impl Iterator<Item = Result<Vec<Vec<f32>>>> + '_> {
        let (forest, rotation) = self.sequence(tokens);
        let mut x = self.embed(tokens)?;
        Ok(self.blocks.iter().map(move |block| {
            let (next, kept) = self.block(block, &x, &forest, &rotation)?;
            x = next;
            Ok(attention_weights(&kept.qkv, self.heads())?)
        }))
    }

    fn sequence(&self, tokens: &[u32]) -> (Arc<Forest>, Arc<Rotation>) {
        let mut forest = Forest::default();
        forest.push(tokens.len(), None);
        let rotation = self.rotation(&forest);
        (Arc::new(forest), rotation)
    }

    fn rotation(&self, forest: &Forest) -> Arc<Rotation> {
        Arc::new(Rotation::new(&forest.positions(), &self.frequencies))
    }

    pub(super) fn heads(&self) -> Heads {
        Heads { queries: self.config.heads, keys: self.config.key_value_heads, width: self.config.head_dim }
    }

    fn embed(&self, tokens: &[u32]) -> Result<Tensor> {
        let tokens = Tensor::from_slice(tokens, tokens.len(), &Device::Cpu)?;
        Ok(self.embedding.index_select(&tokens, 0)?)
    }

    fn block(
        &self,
        block: &Block,
        x: &Tensor,
        forest: &Arc<Forest>,
        rotation: &Arc<Rotation>,
    ) -> Result<(Tensor, KeptBlock)> {
        let eps = self.config.norm_eps;
        let bias = |number: Option<usize>| number.map(|number| self.weight(number));
        let normed = rms_norm(x, self.weight(block.input_norm), eps)?;
        let mut qkv = linear(&normed, self.weight(block.query_key_value), bias(block.query_key_value_bias))?;
        let mut projected = None;
        if let Some(norms) = block.query_key_norms {
            projected = Some(qkv.clone());
            qkv = self.norm_heads(&qkv, norms)?;
        }
        let qkv = rope(&qkv, rotation, self.rotated())?;
        let attended = attention(&qkv, forest, self.heads())?;
        let middle = residual(x, &linear(&attended, self.weight(block.output), bias(block.output_bias))?)?;
        let post_normed = rms_norm(&middle, self.weight(block.post_norm), eps)?;
        let gate_up = linear(&post_normed, self.weight(block.gate_up), None)?;
        let inner = swiglu(&gate_up)?;
        let next = residual(&middle, &linear(&inner, self.weight(block.down), None)?)?;
        let x = x.clone();
        Ok((next, KeptBlock { x, normed, projected, qkv, attended, middle, post_normed, gate_up, inner }))
    }

    /// Heads that are rotated: those of queries and keys.
    pub(super) fn rotated(&self) -> usize {
        self.config.heads + self.config.key_value_heads
    }

    /// RMSNorm over each head of queries and of keys (Qwen3).
    fn norm_heads(&self, qkv: &Tensor, (query, key): (usize, usize)) -> Result<Tensor> {
        let (queries, keys) = (self.config.query_width(), self.config.key_value_width());
        let norm = |start: usize, width: usize, weight: usize| -> Result<Tensor> {
            let lines = self.lines(&qkv.narrow(1, start, width)?)?;
            Ok(rms_norm(&lines, self.weight(weight), self.config.norm_eps)?.reshape(((), width))?)
        };
        let values = qkv.narrow(1, queries + keys, keys)?;
        Ok(Tensor::cat(&[norm(0, queries, query)?, norm(queries, keys, key)?, values], 1)?)
    }

    /// Heads as rows.
    pub(super) fn lines(&self, heads: &Tensor) -> Result<Tensor> {
        Ok(heads.contiguous()?.reshape(((), self.config.head_dim))?)
    }
}

/// Collects the computed weights.
struct Build<'a> {
    weights: &'a Weights,
    computed: Vec<Computed>,
}

impl Build<'_> {
    fn add(
        &mut self,
        tensor: Tensor,
        trained: bool,
        parts: Vec<(String, usize)>,
        suffix: &'static str,
    ) -> Result<usize> {
        let tensor = tensor.detach();
        self.computed.push(Computed { tensor, trained, parts, suffix });
        Ok(self.computed.len() - 1)
    }

    /// `[in, out]` of matrices `[out, in]` that read the same input.
    fn matrix(&mut self, names: &[String]) -> Result<usize> {
        let (mut matrices, mut parts, mut trained) = (Vec::new(), Vec::new(), false);
        for name in names {
            let linear = self.weights.linear(name)?;
            trained |= linear.weight.is_variable() || linear.adapter.is_some();
            let mut matrix = linear.weight.detach();
            if let Some(adapter) = linear.adapter {
                matrix = (matrix + (adapter.up.detach().matmul(&adapter.down.detach())? * adapter.scale)?)?;
            }
            parts.push((name.clone(), matrix.dim(0)?));
            matrices.push(matrix);
        }
        self.add(Tensor::cat(&matrices, 0)?.t()?.contiguous()?, trained, parts, ".weight")
    }

    fn vector(&mut self, names: &[String], suffix: &'static str) -> Result<usize> {
        let (mut vectors, mut parts, mut trained) = (Vec::new(), Vec::new(), false);
        for name in names {
            let vector = self.weights.tensor(&format!("{name}{suffix}"))?;
            trained |= vector.is_variable();
            parts.push((name.clone(), vector.elem_count()));
            vectors.push(vector.detach().flatten_all()?);
        }
        self.add(Tensor::cat(&vectors, 0)?.copy()?, trained, parts, suffix)
    }

    fn bias(&mut self, there: bool, names: &[String]) -> Result<Option<usize>> {
        there.then(|| self.vector(names, ".bias")).transpose()
    }
}
