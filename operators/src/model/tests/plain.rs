//! The operations composed of candle's own, and causal attention sequence by sequence: slow and plain.

use candle_core::{D, DType, Device, Result, Tensor};

use crate::model::forest::Forest;
use crate::model::ops::Heads;

pub(super) fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let mean = x.sqr()?.mean_keepdim(D::Minus1)?;
    x.broadcast_div(&(mean + eps)?.sqrt()?)?.broadcast_mul(weight)
}

pub(super) fn swiglu(gate_up: &Tensor) -> Result<Tensor> {
    let width = gate_up.dim(1)? / 2;
    let (gate, up) = (gate_up.narrow(1, 0, width)?, gate_up.narrow(1, width, width)?);
    let sigmoid = ((gate.neg()?.exp()? + 1.0)?).recip()?;
    (gate * sigmoid)?.mul(&up)
}

/// The first `heads` heads of width `2 pairs` turned by position times frequency.
pub(super) fn rope(x: &Tensor, positions: &[usize], frequencies: &[f64], heads: usize) -> Result<Tensor> {
    let pairs = frequencies.len();
    let angles: Vec<f32> =
        positions.iter().flat_map(|p| frequencies.iter().map(|f| (*p as f64 * f) as f32)).collect();
    let angles = Tensor::from_vec(angles, (positions.len(), pairs), &Device::Cpu)?;
    let (cos, sin) = (angles.cos()?, angles.sin()?);
    let mut parts = Vec::new();
    for head in 0..heads {
        let (a, b) = (x.narrow(1, 2 * pairs * head, pairs)?, x.narrow(1, 2 * pairs * head + pairs, pairs)?);
        parts.push(((&a * &cos)? - (&b * &sin)?)?);
        parts.push(((&b * &cos)? + (&a * &sin)?)?);
    }
    let rest = x.dim(1)? - 2 * pairs * heads;
    if rest > 0 {
        parts.push(x.narrow(1, 2 * pairs * heads, rest)?);
    }
    Tensor::cat(&parts, 1)
}

/// Each segment's rows attend to the rows of its path, one head at a time.
pub(super) fn attention(qkv: &Tensor, forest: &Forest, heads: Heads) -> Result<Tensor> {
    let Heads { queries, keys, width } = heads;
    let mut lines = Vec::new();
    for (segment, own) in forest.segments().iter().enumerate() {
        let path: Vec<u32> = forest.path(segment).into_iter().flatten().map(|t| t as u32).collect();
        let (all, rows) = (path.len(), own.tokens.len());
        let path = qkv.index_select(&Tensor::from_vec(path, all, &Device::Cpu)?, 0)?;
        let hidden: Vec<f32> = (0..rows)
            .flat_map(|q| (0..all).map(move |k| if k <= all - rows + q { 0.0 } else { f32::NEG_INFINITY }))
            .collect();
        let hidden = Tensor::from_vec(hidden, (rows, all), &Device::Cpu)?;
        let mut outputs = Vec::new();
        for head in 0..queries {
            let key = head / (queries / keys);
            let q = path.narrow(1, head * width, width)?.narrow(0, all - rows, rows)?.contiguous()?;
            let k = path.narrow(1, (queries + key) * width, width)?.contiguous()?;
            let v = path.narrow(1, (queries + keys + key) * width, width)?.contiguous()?;
            let scores = ((q.matmul(&k.t()?)? / (width as f64).sqrt())? + &hidden)?;
            let most = scores.max_keepdim(1)?.detach();
            let exponentials = scores.broadcast_sub(&most)?.exp()?;
            let sums = exponentials.sum_keepdim(1)?;
            outputs.push(exponentials.broadcast_div(&sums)?.matmul(&v)?);
        }
        lines.push(Tensor::cat(&outputs, 1)?);
    }
    Tensor::cat(&lines, 0)
}

pub(super) fn token_logprobs(
    hidden: &Tensor,
    output: &Tensor,
    rows: &[usize],
    targets: &[u32],
    temperature: f64,
) -> Result<Tensor> {
    let rows: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
    let count = rows.len();
    let states = hidden.index_select(&Tensor::from_vec(rows, count, &Device::Cpu)?, 0)?;
    let logits = (states.matmul(output)? / temperature)?;
    let logits = logits.broadcast_sub(&logits.max_keepdim(1)?.detach())?;
    let log_p = logits.broadcast_sub(&logits.exp()?.sum_keepdim(1)?.log()?)?;
    let targets = Tensor::from_slice(targets, (count, 1), &Device::Cpu)?;
    let entropy = (log_p.exp()? * &log_p)?.sum_keepdim(1)?.neg()?;
    Tensor::cat(&[log_p.gather(&targets, 1)?, entropy.to_dtype(DType::F32)?], 1)
}
