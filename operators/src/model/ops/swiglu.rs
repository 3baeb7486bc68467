//! SwiGLU (Shazeer 2020, arXiv 2002.05202): `silu(gate) * up` with `silu(g) = g / (1 + e^-g)`.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::elementary::{LANES, sigmoid};
use super::{ROWS, values, vectorize, with_both};

/// `silu(gate) * up` of rows that hold the gates and then the ups: `[rows, 2 width]` to `[rows, width]`.
///
/// # Errors
/// A tensor of another rank, or of odd width.
pub fn swiglu(gate_up: &Tensor) -> Result<Tensor> {
    gate_up.apply_op1(Swiglu)
}

/// Derivatives with respect to a gate and an up.
#[inline(always)]
fn derivatives(gate: f32, up: f32, grad: f32) -> (f32, f32) {
    let s = sigmoid(gate);
    (grad * up * s * (1.0 + gate * (1.0 - s)), grad * gate * s)
}

/// The gradient of the gates and ups: `silu'(g) = s (1 + g (1 - s))` with `s = 1 / (1 + e^-g)`.
pub(crate) fn swiglu_backward(input: &Tensor, grad: &Tensor) -> Result<Tensor> {
    let (_, both) = input.dims2()?;
    let width = both / 2;
    let grad_input = with_both(input, grad, |input, grad| {
        let mut output = vec![0.0f32; input.len()];
        let chunks = output.par_chunks_mut(ROWS * both).zip(input.par_chunks(ROWS * both));
        chunks.zip(grad.par_chunks(ROWS * width)).for_each(|((output, input), grad)| {
            vectorize(
                #[inline(always)]
                || {
                    let rows = output.chunks_exact_mut(both).zip(input.chunks_exact(both));
                    for ((dx, x), dy) in rows.zip(grad.chunks_exact(width)) {
                        let (gate, up) = x.split_at(width);
                        let (dgate, dup) = dx.split_at_mut(width);
                        let (gates, gate) = gate.as_chunks::<LANES>();
                        let (ups, up) = up.as_chunks::<LANES>();
                        let (dys, dy) = dy.as_chunks::<LANES>();
                        let (dgates, dgate) = dgate.as_chunks_mut::<LANES>();
                        let (dups, dup) = dup.as_chunks_mut::<LANES>();
                        let chunks = dgates.iter_mut().zip(dups).zip(gates).zip(ups).zip(dys);
                        for ((((dgate, dup), gate), up), dy) in chunks {
                            // Arrays of their own, because the compiler cannot see that the parts of a row
                            // do not overlap and would take one element at a time.
                            let (mut of_gate, mut of_up) = ([0.0; LANES], [0.0; LANES]);
                            for i in 0..LANES {
                                (of_gate[i], of_up[i]) = derivatives(gate[i], up[i], dy[i]);
                            }
                            (*dgate, *dup) = (of_gate, of_up);
                        }
                        let rest = dgate.iter_mut().zip(dup).zip(gate).zip(up).zip(dy);
                        for ((((dgate, dup), &gate), &up), &dy) in rest {
                            (*dgate, *dup) = derivatives(gate, up, dy);
                        }
                    }
                },
            );
        });
        Ok(output)
    })?;
    Tensor::from_vec(grad_input, input.shape(), input.device())
}

struct Swiglu;

impl CustomOp1 for Swiglu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let input = values(storage, layout)?;
        let (rows, both) = layout.shape().dims2()?;
        let width = both / 2;
        if both == 0 || !both.is_multiple_of(2) {
            bail!("swiglu: rows of {both} are no gates and ups");
        }
        let mut output = vec![0.0f32; rows * width];
        output.par_chunks_mut(ROWS * width).zip(input.par_chunks(ROWS * both)).for_each(|(output, input)| {
            vectorize(
                #[inline(always)]
                || {
                    for (y, x) in output.chunks_exact_mut(width).zip(input.chunks_exact(both)) {
                        let (gate, up) = x.split_at(width);
                        for ((y, &gate), &up) in y.iter_mut().zip(gate).zip(up) {
                            *y = gate * sigmoid(gate) * up;
                        }
                    }
                },
            );
        });
        Ok((CpuStorage::F32(output), (rows, width).into()))
    }

    fn bwd(&self, input: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        swiglu_backward(input, grad).map(Some)
    }
}
