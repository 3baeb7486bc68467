//! The residual connection: a sum of two tensors of one shape.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::{values, vectorize};

/// Elements that a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// `a + b`, element by element.
///
/// # Errors
/// Tensors of different shapes.
pub fn residual(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.apply_op2(b, Residual)
}

struct Residual;

impl CustomOp2 for Residual {
    fn name(&self) -> &'static str {
        "residual"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if a_layout.shape() != b_layout.shape() {
            bail!("residual: {:?} and {:?}", a_layout.dims(), b_layout.dims());
        }
        let mut sum = values(a, a_layout)?.to_vec();
        let chunks = sum.par_chunks_mut(CHUNK).zip(values(b, b_layout)?.par_chunks(CHUNK));
        chunks.for_each(|(a, b)| {
            vectorize(
                #[inline(always)]
                || super::elementary::add(a, b),
            )
        });
        Ok((CpuStorage::F32(sum), a_layout.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(grad.clone()), Some(grad.clone())))
    }
}
