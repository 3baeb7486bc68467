//! RMSNorm (Zhang & Sennrich 2019, arXiv 1910.07467): `y = x / sqrt(mean(x^2) + eps) * weight`.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::elementary::dot;
use super::{ROWS, values, vectorize, with_both, with_values};

/// Norms each row of `x` (`[.., width]`) by its root mean square and scales it by `weight` (`[width]`).
/// Squares are summed in `f64`.
///
/// # Errors
/// Shapes that do not fit.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    x.apply_op2(weight, RmsNorm { eps })
}

/// Gradients of `x` and `weight` from that of `y`; `residual` is added to that of `x`.
pub(crate) fn rms_norm_backward(
    x: &Tensor,
    weight: &Tensor,
    eps: f64,
    grad: &Tensor,
    residual: Option<&Tensor>,
) -> Result<(Tensor, Tensor)> {
    let operation = RmsNorm { eps };
    let (grad_x, grad_weight) = with_both(x, weight, |x, weight| {
        with_values(grad, |grad| match residual {
            Some(residual) => {
                with_values(residual, |start| Ok(operation.backward(x, weight, grad, start.to_vec())))
            }
            None => Ok(operation.backward(x, weight, grad, vec![0.0; x.len()])),
        })
    })?;
    Ok((
        Tensor::from_vec(grad_x, x.shape(), x.device())?,
        Tensor::from_vec(grad_weight, weight.shape(), x.device())?,
    ))
}

struct RmsNorm {
    eps: f64,
}

impl RmsNorm {
    /// `1 / sqrt(mean(x^2) + eps)`.
    #[inline(always)]
    fn scale(&self, row: &[f32]) -> f32 {
        (1.0 / (dot(row, row) / row.len() as f64 + self.eps).sqrt()) as f32
    }

    /// Adds the gradient of `x` to `grad_x`.
    fn backward(
        &self,
        x: &[f32],
        weight: &[f32],
        grad: &[f32],
        mut grad_x: Vec<f32>,
    ) -> (Vec<f32>, Vec<f32>) {
        let width = weight.len();
        let partial: Vec<Vec<f32>> = grad_x
            .par_chunks_mut(ROWS * width)
            .zip(x.par_chunks(ROWS * width))
            .zip(grad.par_chunks(ROWS * width))
            .map(|((grad_x, x), grad)| {
                vectorize(
                    #[inline(always)]
                    || {
                        let (mut grad_weight, mut scaled) = (vec![0.0; width], vec![0.0; width]);
                        let rows = grad_x.chunks_exact_mut(width).zip(x.chunks_exact(width));
                        for ((grad_x, x), grad) in rows.zip(grad.chunks_exact(width)) {
                            self.backward_row(grad_x, x, weight, grad, (&mut grad_weight, &mut scaled));
                        }
                        grad_weight
                    },
                )
            })
            .collect();
        let mut grad_weight = vec![0.0; width];
        for part in partial {
            grad_weight.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        (grad_x, grad_weight)
    }

    /// With `r` the scale and `h = grad * weight`: `dx += r h - x r^3 mean(h x)`, `dweight += grad x r`.
    #[inline(always)]
    fn backward_row(
        &self,
        grad_x: &mut [f32],
        x: &[f32],
        weight: &[f32],
        grad: &[f32],
        (grad_weight, scaled): (&mut [f32], &mut [f32]),
    ) {
        let scale = self.scale(x);
        for ((h, &grad), &weight) in scaled.iter_mut().zip(grad).zip(weight) {
            *h = grad * weight;
        }
        let mean = dot(scaled, x) / x.len() as f64;
        let along = (mean * f64::from(scale).powi(3)) as f32;
        for ((dx, &h), &x) in grad_x.iter_mut().zip(&*scaled).zip(x) {
            *dx += h * scale - x * along;
        }
        for ((sum, &grad), &x) in grad_weight.iter_mut().zip(grad).zip(x) {
            *sum += grad * x * scale;
        }
    }
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (input, weight) = (values(x, x_layout)?, values(weight, layout)?);
        let width = weight.len();
        if x_layout.dims().last() != Some(&width) || width == 0 {
            bail!("rms-norm: rows of {:?} and a weight of {width}", x_layout.dims());
        }
        let mut output = vec![0.0f32; input.len()];
        output.par_chunks_mut(ROWS * width).zip(input.par_chunks(ROWS * width)).for_each(
            |(output, input)| {
                vectorize(
                    #[inline(always)]
                    || {
                        for (y, x) in output.chunks_exact_mut(width).zip(input.chunks_exact(width)) {
                            let scale = self.scale(x);
                            for ((y, &x), &weight) in y.iter_mut().zip(x).zip(weight) {
                                *y = x * scale * weight;
                            }
                        }
                    },
                );
            },
        );
        Ok((CpuStorage::F32(output), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (grad_x, grad_weight) = rms_norm_backward(x, weight, self.eps, grad, None)?;
        Ok((Some(grad_x), Some(grad_weight)))
    }
}
