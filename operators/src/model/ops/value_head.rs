//! The value head: one linear estimate per token, `v = h . weight + bias`, summed in `f64`.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::elementary::dot;
use super::{values, vectorize, with_both, with_values};

/// Value estimates `[states]` of rows of the hidden states `[rows, width]`, with `weight` of `width` and
/// `bias` of one value. A row may be asked for several times.
///
/// # Errors
/// Shapes that do not fit, and rows out of range.
pub fn value_head(hidden: &Tensor, weight: &Tensor, bias: &Tensor, rows: Arc<[usize]>) -> Result<Tensor> {
    hidden.apply_op3(weight, bias, ValueHead { rows })
}

/// Gradients of `hidden`, `weight` and `bias` from that of the values.
pub(crate) fn value_head_backward(
    hidden: &Tensor,
    weight: &Tensor,
    rows: &[usize],
    grad: &Tensor,
) -> Result<(Tensor, Tensor, Tensor)> {
    let (_, width) = hidden.dims2()?;
    let mut grad_hidden = vec![0.0f32; hidden.elem_count()];
    let mut grad_weight = vec![0.0f32; width];
    let mut grad_bias = 0.0f32;
    with_both(hidden, weight, |hidden, weight| {
        with_values(grad, |grad| {
            for (&row, &grad) in rows.iter().zip(grad) {
                let place = row * width..(row + 1) * width;
                let line = grad_hidden[place.clone()].iter_mut().zip(&hidden[place]);
                for (((dh, &h), dw), &w) in line.zip(&mut grad_weight).zip(weight) {
                    *dh += grad * w;
                    *dw += grad * h;
                }
                grad_bias += grad;
            }
            Ok(())
        })
    })?;
    let device = hidden.device();
    Ok((
        Tensor::from_vec(grad_hidden, hidden.shape(), device)?,
        Tensor::from_vec(grad_weight, weight.shape(), device)?,
        Tensor::from_vec(vec![grad_bias], 1, device)?,
    ))
}

struct ValueHead {
    rows: Arc<[usize]>,
}

impl CustomOp3 for ValueHead {
    fn name(&self) -> &'static str {
        "value-head"
    }

    fn cpu_fwd(
        &self,
        hidden: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (lines, width) = layout.shape().dims2()?;
        let (hidden, weight) = (values(hidden, layout)?, values(weight, weight_layout)?);
        let &[bias] = values(bias, bias_layout)? else { bail!("value-head: more than one bias") };
        if weight.len() != width || self.rows.iter().any(|row| *row >= lines) {
            bail!("value-head: {lines} rows of {width}, and a weight of {}", weight.len());
        }
        let state = |row: &usize| {
            let line = &hidden[row * width..(row + 1) * width];
            (dot(line, weight) + f64::from(bias)) as f32
        };
        let output: Vec<f32> = vectorize(
            #[inline(always)]
            || self.rows.iter().map(state).collect(),
        );
        Ok((CpuStorage::F32(output), self.rows.len().into()))
    }

    fn bwd(
        &self,
        hidden: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (of_hidden, of_weight, of_bias) = value_head_backward(hidden, weight, &self.rows, grad)?;
        Ok((Some(of_hidden), Some(of_weight), Some(of_bias.reshape(bias.shape())?)))
    }
}
