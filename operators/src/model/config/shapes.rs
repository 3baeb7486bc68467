//! The parameters of a model: names as Hugging Face files have them, shapes, and their order.

use super::ModelConfig;

/// What a parameter is, which decides how a fresh one is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// A matrix that reads the residual stream, or the embedding: normal with `initializer_range`.
    Matrix,
    /// A matrix that writes to the residual stream: normal, divided by the root of twice the layers
    /// (GPT-2), so that the stream does not grow with depth.
    Residual,
    /// The scale of a norm: ones.
    Norm,
    /// A bias, or the value head: zeros.
    Zero,
}

/// Name and shape of one parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterShape {
    /// Name in Hugging Face files; `value_head.*` is meed's own.
    pub name: String,
    /// Shape; matrices are `[out, in]`.
    pub shape: Vec<usize>,
    /// How a fresh one is drawn.
    pub kind: ParameterKind,
}

impl ParameterShape {
    /// Number of values.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

impl ModelConfig {
    /// All parameters in the order of the forward pass, which is the canonical order everywhere.
    pub fn parameters(&self) -> Vec<ParameterShape> {
        use ParameterKind::{Matrix, Norm, Residual, Zero};
        let mut list = Vec::new();
        let mut add = |name: String, shape: &[usize], kind| {
            list.push(ParameterShape { name, shape: shape.to_vec(), kind });
        };
        let (hidden, query, key_value) = (self.hidden, self.query_width(), self.key_value_width());
        add("model.embed_tokens.weight".into(), &[self.vocabulary, hidden], Matrix);
        for layer in 0..self.layers {
            let prefix = format!("model.layers.{layer}");
            add(format!("{prefix}.input_layernorm.weight"), &[hidden], Norm);
            for (projection, width) in [("q_proj", query), ("k_proj", key_value), ("v_proj", key_value)] {
                add(format!("{prefix}.self_attn.{projection}.weight"), &[width, hidden], Matrix);
                if self.attention_bias {
                    add(format!("{prefix}.self_attn.{projection}.bias"), &[width], Zero);
                }
            }
            if self.query_key_norm {
                add(format!("{prefix}.self_attn.q_norm.weight"), &[self.head_dim], Norm);
                add(format!("{prefix}.self_attn.k_norm.weight"), &[self.head_dim], Norm);
            }
            add(format!("{prefix}.self_attn.o_proj.weight"), &[hidden, query], Residual);
            if self.output_bias {
                add(format!("{prefix}.self_attn.o_proj.bias"), &[hidden], Zero);
            }
            add(format!("{prefix}.post_attention_layernorm.weight"), &[hidden], Norm);
            add(format!("{prefix}.mlp.gate_proj.weight"), &[self.feed_forward, hidden], Matrix);
            add(format!("{prefix}.mlp.up_proj.weight"), &[self.feed_forward, hidden], Matrix);
            add(format!("{prefix}.mlp.down_proj.weight"), &[hidden, self.feed_forward], Residual);
        }
        add("model.norm.weight".into(), &[hidden], Norm);
        if !self.tied_embeddings {
            add("lm_head.weight".into(), &[self.vocabulary, hidden], Matrix);
        }
        if self.value_head {
            add("value_head.weight".into(), &[1, hidden], Zero);
            add("value_head.bias".into(), &[1], Zero);
        }
        list
    }
}
