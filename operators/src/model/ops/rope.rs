//! RoPE (Su et al. 2021, arXiv 2104.09864) in the half-rotation form of Hugging Face's Llama.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::{ROWS, values, vectorize, with_values};

/// Cosines and sines of each token's position.
#[derive(Debug)]
pub struct Rotation {
    /// `head_dim / 2`.
    pairs: usize,
    /// Per token, `pairs` cosines.
    cosines: Vec<f32>,
    /// Per token, `pairs` sines.
    sines: Vec<f32>,
}

impl Rotation {
    /// The rotation of tokens at these positions, with one frequency per pair; angles are in `f64`.
    pub fn new(positions: &[usize], frequencies: &[f64]) -> Self {
        let angles = positions.iter().flat_map(|p| frequencies.iter().map(|f| *p as f64 * f));
        let (cosines, sines) = angles.map(|angle| (angle.cos() as f32, angle.sin() as f32)).unzip();
        Rotation { pairs: frequencies.len(), cosines, sines }
    }
}

/// Turns pair `i` of a head, its elements `i` and `i + head_dim / 2`, by the angle of the token's
/// position: `(a, b)` to `(a cos - b sin, b cos + a sin)`. Rows of `x` (`[tokens, width]`) are heads side
/// by side, of which the first `heads` are turned and the others (values) are passed on.
///
/// # Errors
/// Another number of tokens than the rotation has, or rows that are too short.
pub fn rope(x: &Tensor, rotation: &Arc<Rotation>, heads: usize) -> Result<Tensor> {
    x.apply_op1(Rope { rotation: rotation.clone(), heads })
}

/// The gradient of `x`: that of the result, turned back.
pub(crate) fn rope_backward(rotation: &Arc<Rotation>, heads: usize, grad: &Tensor) -> Result<Tensor> {
    let (_, width) = grad.dims2()?;
    let operation = Rope { rotation: rotation.clone(), heads };
    let turned = with_values(grad, |grad| Ok(operation.rotate(grad, width, -1.0)))?;
    Tensor::from_vec(turned, grad.shape(), grad.device())
}

struct Rope {
    rotation: Arc<Rotation>,
    heads: usize,
}

impl Rope {
    /// Rotates by the angle, or back by it: the transpose of a rotation is its inverse.
    fn rotate(&self, input: &[f32], width: usize, sign: f32) -> Vec<f32> {
        let pairs = self.rotation.pairs;
        let mut output = vec![0.0f32; input.len()];
        let angles =
            self.rotation.cosines.par_chunks(ROWS * pairs).zip(self.rotation.sines.par_chunks(ROWS * pairs));
        let chunks = output.par_chunks_mut(ROWS * width).zip(input.par_chunks(ROWS * width));
        chunks.zip(angles).for_each(|((output, input), (cosines, sines))| {
            vectorize(
                #[inline(always)]
                || {
                    let rows = output.chunks_exact_mut(width).zip(input.chunks_exact(width));
                    let angles = cosines.chunks_exact(pairs).zip(sines.chunks_exact(pairs));
                    for ((y, x), (cosines, sines)) in rows.zip(angles) {
                        y.copy_from_slice(x);
                        for head in y[..self.heads * 2 * pairs].chunks_exact_mut(2 * pairs) {
                            let (first, second) = head.split_at_mut(pairs);
                            for (((a, b), &cos), &sin) in first.iter_mut().zip(second).zip(cosines).zip(sines)
                            {
                                let (x, y, sin) = (*a, *b, sign * sin);
                                *a = x * cos - y * sin;
                                *b = y * cos + x * sin;
                            }
                        }
                    }
                },
            );
        });
        output
    }
}

impl CustomOp1 for Rope {
    fn name(&self) -> &'static str {
        "rope"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let input = values(storage, layout)?;
        let (tokens, width) = layout.shape().dims2()?;
        let pairs = self.rotation.pairs;
        if tokens * pairs != self.rotation.cosines.len() || width < self.heads * 2 * pairs {
            bail!("rope: {tokens} rows of {width} do not fit the rotation");
        }
        Ok((CpuStorage::F32(self.rotate(input, width, 1.0)), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        rope_backward(&self.rotation, self.heads, grad).map(Some)
    }
}
