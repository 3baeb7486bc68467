//! Fused operations of a transformer on the CPU as candle custom operations, each with its own backward.
//!
//! Rows are independent: what comes out for a row never depends on which rows lie beside it, on how many
//! threads work, or on how the work was cut. Sums over rows (gradients of weights) are taken over chunks
//! of a fixed size, in order.

mod attention;
mod elementary;
mod linear;
mod logprob;
mod product;
mod residual;
mod rms_norm;
mod rope;
mod swiglu;
mod value_head;

pub(super) use attention::attention_backward;
pub use attention::{Heads, attention, attention_weights};
pub use linear::linear;
pub(super) use linear::{backward_bias, backward_weight, backward_x};
pub use logprob::token_logprobs;
pub(super) use logprob::token_logprobs_backward;
pub use residual::residual;
pub use rms_norm::rms_norm;
pub(super) use rms_norm::rms_norm_backward;
pub(super) use rope::rope_backward;
pub use rope::{Rotation, rope};
pub use swiglu::swiglu;
pub(super) use swiglu::swiglu_backward;
pub use value_head::value_head;
pub(super) use value_head::value_head_backward;

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

/// Rows of one chunk: what a thread takes at a time, and what one partial sum covers.
const ROWS: usize = 64;

/// Runs a loop compiled for the best vector instructions of this machine. What it calls must be inlined.
#[inline(always)]
fn vectorize<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// The values of an operation's argument, row by row.
fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("the fused operations need tensors without gaps; call contiguous() first"),
    }
}

/// Gives the values of a tensor to a function, row by row.
pub(super) fn with_values<R>(tensor: &Tensor, work: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => work(values(storage, layout)?),
        _ => bail!("the fused operations run on the CPU"),
    }
}

/// Values of two tensors.
fn with_both<R>(a: &Tensor, b: &Tensor, work: impl FnOnce(&[f32], &[f32]) -> Result<R>) -> Result<R> {
    with_values(a, |a| with_values(b, |b| work(a, b)))
}
