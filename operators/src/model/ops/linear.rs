//! A linear map, `y = x W + b`, whose rows are the same bits whatever their number.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::elementary::add;
use super::{ROWS, values, with_values};

/// `x` (`[rows, in]`) times `weight` (`[in, out]`, row by row), plus `bias` (`[out]`).
///
/// A single row is multiplied beside a row of zeros, because products of a single row may take another
/// path with other bits.
///
/// # Errors
/// Shapes that do not fit.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    match bias {
        Some(bias) => x.apply_op3(weight, bias, Linear),
        None => x.apply_op2(weight, Linear),
    }
}

/// The gradient of `x` from that of `y`.
pub(crate) fn backward_x(weight: &Tensor, grad: &Tensor) -> Result<Tensor> {
    grad.matmul(&weight.t()?)
}

/// The gradient of `weight`.
pub(crate) fn backward_weight(x: &Tensor, grad: &Tensor) -> Result<Tensor> {
    x.t()?.matmul(grad)
}

/// The gradient of `bias`: sums over chunks of rows, added in order.
pub(crate) fn backward_bias(grad: &Tensor) -> Result<Tensor> {
    let (_, width) = grad.dims2()?;
    let sum = with_values(grad, |grad| {
        let chunk = |rows: &[f32]| {
            let mut sum = vec![0.0; width];
            rows.chunks_exact(width).for_each(|row| add(&mut sum, row));
            sum
        };
        let parts: Vec<Vec<f32>> = grad.par_chunks(ROWS * width).map(chunk).collect();
        let mut sum = vec![0.0; width];
        parts.iter().for_each(|part| add(&mut sum, part));
        Ok(sum)
    })?;
    Tensor::from_vec(sum, width, grad.device())
}

struct Linear;

fn product(
    x: &CpuStorage,
    layout: &Layout,
    weight: &CpuStorage,
    weight_layout: &Layout,
) -> Result<(CpuStorage, usize, usize)> {
    let (rows, inner) = layout.shape().dims2()?;
    let (_, width) = weight_layout.shape().dims2()?;
    if rows == 1 {
        let doubled = CpuStorage::F32([values(x, layout)?, &vec![0.0; inner]].concat());
        let two = Layout::contiguous((2, inner));
        let output = doubled.matmul(weight, (1, 2, width, inner), &two, weight_layout)?;
        return Ok((CpuStorage::F32(output.as_slice::<f32>()?[..width].to_vec()), 1, width));
    }
    Ok((x.matmul(weight, (1, rows, width, inner), layout, weight_layout)?, rows, width))
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (output, rows, width) = product(x, layout, weight, weight_layout)?;
        Ok((output, (rows, width).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(backward_x(&weight.detach(), grad)?), Some(backward_weight(&x.detach(), grad)?)))
    }
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear-with-bias"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (output, rows, width) = product(x, layout, weight, weight_layout)?;
        let bias = values(bias, bias_layout)?;
        let CpuStorage::F32(mut output) = output else { bail!("linear: not in 32-bit floats") };
        if bias.len() != width {
            bail!("linear: {width} columns and a bias of {}", bias.len());
        }
        output.chunks_exact_mut(width).for_each(|row| add(row, bias));
        Ok((CpuStorage::F32(output), (rows, width).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (of_x, of_weight) = (backward_x(&weight.detach(), grad)?, backward_weight(&x.detach(), grad)?);
        Ok((Some(of_x), Some(of_weight), Some(backward_bias(grad)?)))
    }
}
