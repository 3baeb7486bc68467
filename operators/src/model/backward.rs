//! The backward pass of a unit, written out: the transformer's forward pass in reverse.
//!
//! It calls the backward of each operation itself instead of candle's `backward`, which adds every
//! gradient to zeros and computes those of frozen weights too.

use candle_core::Tensor;

use super::gradients::Gradients;
use super::ops::{
    attention_backward, backward_bias, backward_weight, backward_x, residual, rms_norm_backward,
    rope_backward, swiglu_backward, token_logprobs_backward, value_head_backward,
};
use super::packing::Unit;
use super::transformer::{Block, Kept, KeptBlock, Transformer};
use crate::Result;

/// Derivatives of a loss with respect to what a unit's forward pass gave.
pub(super) struct Seeds {
    /// `[wanted, 2]`.
    pub scores: Tensor,
    /// One for each token of the unit's rollouts.
    pub values: Option<Tensor>,
}

impl Transformer {
    /// Adds the gradients of a unit.
    pub(super) fn backward(
        &self,
        unit: &Unit,
        kept: &Kept,
        seeds: &Seeds,
        gradients: &mut Gradients,
    ) -> Result<()> {
        let (rows, targets) = (unit.rows.clone(), unit.targets.clone());
        let (mut grad, of_output) = token_logprobs_backward(
            &kept.hidden,
            self.weight(self.output),
            rows,
            targets,
            kept.temperature,
            &seeds.scores,
        )?;
        gradients.add(self, self.output, &of_output)?;
        if let (Some((weight, bias)), Some(values)) = (self.value, &seeds.values) {
            let (of_hidden, of_weight, of_bias) =
                value_head_backward(&kept.hidden, self.weight(weight), &unit.before, values)?;
            gradients.add(self, weight, &of_weight)?;
            gradients.add(self, bias, &of_bias)?;
            grad = residual(&grad, &of_hidden)?;
        }
        let mut grad = self.norm_backward(&kept.x, self.norm, &grad, None, gradients)?;
        for (block, own) in self.blocks.iter().zip(&kept.blocks).rev() {
            grad = self.block_backward(block, own, unit, kept, grad, gradients)?;
        }
        gradients.add_embedded(self, &unit.tokens, &grad)
    }

    fn block_backward(
        &self,
        block: &Block,
        own: &KeptBlock,
        unit: &Unit,
        kept: &Kept,
        grad: Tensor,
        gradients: &mut Gradients,
    ) -> Result<Tensor> {
        let of_inner = self.linear_backward(&own.inner, block.down, None, &grad, gradients)?;
        let of_gate_up = swiglu_backward(&own.gate_up, &of_inner)?;
        let of_normed =
            self.linear_backward(&own.post_normed, block.gate_up, None, &of_gate_up, gradients)?;
        let grad = self.norm_backward(&own.middle, block.post_norm, &of_normed, Some(&grad), gradients)?;
        let of_attended =
            self.linear_backward(&own.attended, block.output, block.output_bias, &grad, gradients)?;
        let of_rotated = attention_backward(&own.qkv, &unit.forest, self.heads(), &of_attended)?;
        let mut of_qkv = rope_backward(&kept.rotation, self.rotated(), &of_rotated)?;
        if let (Some(norms), Some(projected)) = (block.query_key_norms, &own.projected) {
            of_qkv = self.head_norms_backward(projected, norms, &of_qkv, gradients)?;
        }
        let (weight, bias) = (block.query_key_value, block.query_key_value_bias);
        let of_normed = self.linear_backward(&own.normed, weight, bias, &of_qkv, gradients)?;
        self.norm_backward(&own.x, block.input_norm, &of_normed, Some(&grad), gradients)
    }

    fn linear_backward(
        &self,
        x: &Tensor,
        weight: usize,
        bias: Option<usize>,
        grad: &Tensor,
        gradients: &mut Gradients,
    ) -> Result<Tensor> {
        if self.computed[weight].trained {
            gradients.add(self, weight, &backward_weight(x, grad)?)?;
        }
        if let Some(bias) = bias.filter(|bias| self.computed[*bias].trained) {
            gradients.add(self, bias, &backward_bias(grad)?)?;
        }
        Ok(backward_x(self.weight(weight), grad)?)
    }

    fn norm_backward(
        &self,
        x: &Tensor,
        weight: usize,
        grad: &Tensor,
        plus: Option<&Tensor>,
        gradients: &mut Gradients,
    ) -> Result<Tensor> {
        let eps = self.config().norm_eps;
        let (of_x, of_weight) = rms_norm_backward(x, self.weight(weight), eps, grad, plus)?;
        gradients.add(self, weight, &of_weight)?;
        Ok(of_x)
    }

    fn head_norms_backward(
        &self,
        projected: &Tensor,
        (query, key): (usize, usize),
        grad: &Tensor,
        gradients: &mut Gradients,
    ) -> Result<Tensor> {
        let (queries, keys) = (self.config().query_width(), self.config().key_value_width());
        let mut norm = |start: usize, width: usize, weight: usize| -> Result<Tensor> {
            let lines = self.lines(&projected.narrow(1, start, width)?)?;
            let grad = self.lines(&grad.narrow(1, start, width)?)?;
            Ok(self.norm_backward(&lines, weight, &grad, None, gradients)?.reshape(((), width))?)
        };
        let (of_queries, of_keys) = (norm(0, queries, query)?, norm(queries, keys, key)?);
        Ok(Tensor::cat(&[of_queries, of_keys, grad.narrow(1, queries + keys, keys)?], 1)?)
    }
}
