//! Log-probabilities and entropies of tokens from hidden states and the output matrix, a chunk of tokens
//! at a time, so that the logits of all tokens never exist together.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Device, Layout, Result, Shape, Tensor, bail};

use super::elementary::{add, exp, max};
use super::{values, vectorize, with_both, with_values};
use std::sync::Arc;

/// Tokens whose logits exist at one time.
const CHUNK: usize = 256;

/// Log-probability and entropy (nats) of tokens, `[tokens, 2]`.
///
/// Token `i` is `targets[i]`, predicted from row `rows[i]` of `hidden` (`[rows, width]`; a row may predict
/// several tokens) through `output` (`[width, vocabulary]`, row by row) with logits divided by
/// `temperature`:
///
/// ```text
/// z = hidden[row] output / temperature
/// logprob = z[target] - log sum exp z          entropy = - sum p log p,  p = softmax z
/// ```
///
/// Backward computes the logits again: with `g` the gradient of the log-probability and `e` that of the
/// entropy `H`, `dz[j] = g ([j = target] - p[j]) - e p[j] (log p[j] + H)`.
///
/// # Errors
/// Rows or targets out of range, and shapes that do not fit.
pub fn token_logprobs(
    hidden: &Tensor,
    output: &Tensor,
    rows: Arc<[usize]>,
    targets: Arc<[u32]>,
    temperature: f64,
) -> Result<Tensor> {
    hidden.apply_op2(output, TokenLogprobs { rows, targets, temperature })
}

/// Gradients of `hidden` and `output` from those of log-probabilities and entropies, `[tokens, 2]`.
pub(crate) fn token_logprobs_backward(
    hidden: &Tensor,
    output: &Tensor,
    rows: Arc<[usize]>,
    targets: Arc<[u32]>,
    temperature: f64,
    grad: &Tensor,
) -> Result<(Tensor, Tensor)> {
    TokenLogprobs { rows, targets, temperature }.backward(&hidden.detach(), &output.detach(), grad)
}

struct TokenLogprobs {
    rows: Arc<[usize]>,
    targets: Arc<[u32]>,
    temperature: f64,
}

/// What the softmax of a row needs: `log p[j] = (logit[j] - most) / temperature - log_sum`.
struct Normalizer {
    most: f32,
    log_sum: f32,
    entropy: f32,
}

#[inline(always)]
fn normalizer(logits: &[f32], inverse: f32) -> Normalizer {
    const LANES: usize = super::elementary::LANES;
    let most = max(logits);
    let (mut sums, mut weighted) = ([0.0f64; LANES], [0.0f64; LANES]);
    let mut add = |line: &[f32]| {
        for ((sum, weighted), &logit) in sums.iter_mut().zip(&mut weighted).zip(line) {
            let z = (logit - most) * inverse;
            let p = exp(z);
            *sum += f64::from(p);
            // A logit of minus infinity has no part: 0 log 0 = 0.
            *weighted += if z == f32::NEG_INFINITY { 0.0 } else { f64::from(p) * f64::from(z) };
        }
    };
    let (chunks, rest) = logits.as_chunks::<LANES>();
    chunks.iter().for_each(|chunk| add(chunk));
    add(rest);
    let (sum, weighted) = (sums.iter().sum::<f64>(), weighted.iter().sum::<f64>());
    let log_sum = sum.ln();
    Normalizer { most, log_sum: log_sum as f32, entropy: (log_sum - weighted / sum) as f32 }
}

impl TokenLogprobs {
    /// The hidden states of a chunk. A single row is doubled, because the product of a single row may take
    /// another path with other bits.
    fn gather(&self, hidden: &[f32], width: usize, start: usize) -> Vec<f32> {
        let rows = &self.rows[start..(start + CHUNK).min(self.rows.len())];
        let doubled = (rows.len() == 1).then(|| rows[0]);
        let lines = rows.iter().copied().chain(doubled).map(|row| &hidden[row * width..(row + 1) * width]);
        lines.flatten().copied().collect()
    }

    /// Logits become their gradients.
    fn backward_chunk(&self, logits: &mut [f32], vocabulary: usize, targets: &[u32], grad: &[f32]) {
        let inverse = (1.0 / self.temperature) as f32;
        vectorize(
            #[inline(always)]
            || {
                let rows = logits.chunks_exact_mut(vocabulary).zip(targets);
                for ((row, &target), grad) in rows.zip(grad.as_chunks::<2>().0) {
                    let [of_logprob, of_entropy] = *grad;
                    let Normalizer { most, log_sum, entropy } = normalizer(row, inverse);
                    for logit in row.iter_mut() {
                        let log_p = (*logit - most) * inverse - log_sum;
                        let p = exp(log_p);
                        let bent = if p == 0.0 { 0.0 } else { p * (log_p + entropy) };
                        *logit = -inverse * (of_logprob * p + of_entropy * bent);
                    }
                    row[target as usize] += inverse * of_logprob;
                }
            },
        );
    }

    fn backward(&self, hidden: &Tensor, output: &Tensor, grad: &Tensor) -> Result<(Tensor, Tensor)> {
        let (_, width) = hidden.dims2()?;
        let (_, vocabulary) = output.dims2()?;
        let device = Device::Cpu;
        let mut grad_hidden = vec![0.0f32; hidden.elem_count()];
        let mut grad_output = vec![0.0f32; output.elem_count()];
        for (chunk, targets) in self.targets.chunks(CHUNK).enumerate() {
            let start = chunk * CHUNK;
            let gathered = with_values(hidden, |hidden| Ok(self.gather(hidden, width, start)))?;
            let lines = gathered.len() / width;
            let gathered = Tensor::from_vec(gathered, (lines, width), &device)?;
            let logits = gathered.matmul(output)?;
            let grads = with_both(&logits, grad, |logits, grad| {
                let mut grads = logits[..targets.len() * vocabulary].to_vec();
                self.backward_chunk(&mut grads, vocabulary, targets, &grad[2 * start..]);
                Ok(grads)
            })?;
            let grads = Tensor::from_vec(grads, (targets.len(), vocabulary), &device)?;
            let of_hidden = grads.matmul(&output.t()?)?;
            with_values(&of_hidden, |lines| {
                for (line, &row) in lines.chunks_exact(width).zip(&self.rows[start..]) {
                    add(&mut grad_hidden[row * width..(row + 1) * width], line);
                }
                Ok(())
            })?;
            let of_output = gathered.narrow(0, 0, targets.len())?.t()?.matmul(&grads)?;
            with_values(&of_output, |part| {
                add(&mut grad_output, part);
                Ok(())
            })?;
        }
        let grad_hidden = Tensor::from_vec(grad_hidden, hidden.shape(), &device)?;
        Ok((grad_hidden, Tensor::from_vec(grad_output, output.shape(), &device)?))
    }

    fn check(&self, rows: usize, width: usize, output: &[usize]) -> Result<()> {
        let &[inner, vocabulary] = output else {
            bail!("token-logprobs: an output of rank {}", output.len())
        };
        if inner != width || vocabulary == 0 {
            bail!("token-logprobs: hidden states of {width} and an output of {output:?}");
        }
        if self.rows.len() != self.targets.len() || self.rows.iter().any(|row| *row >= rows) {
            bail!("token-logprobs: tokens outside the {rows} rows");
        }
        if let Some(target) = self.targets.iter().find(|target| **target as usize >= vocabulary) {
            bail!("token-logprobs: token {target} is outside the vocabulary of {vocabulary}");
        }
        Ok(())
    }
}

impl CustomOp2 for TokenLogprobs {
    fn name(&self) -> &'static str {
        "token-logprobs"
    }

    fn cpu_fwd(
        &self,
        hidden: &CpuStorage,
        layout: &Layout,
        output: &CpuStorage,
        output_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, width) = layout.shape().dims2()?;
        self.check(rows, width, output_layout.dims())?;
        let (hidden, vocabulary) = (values(hidden, layout)?, output_layout.dims()[1]);
        let inverse = (1.0 / self.temperature) as f32;
        let mut result = Vec::with_capacity(2 * self.rows.len());
        for (chunk, targets) in self.targets.chunks(CHUNK).enumerate() {
            let gathered = self.gather(hidden, width, chunk * CHUNK);
            let lines = gathered.len() / width;
            let logits = CpuStorage::F32(gathered).matmul(
                output,
                (1, lines, vocabulary, width),
                &Layout::contiguous((lines, width)),
                output_layout,
            )?;
            let logits = logits.as_slice::<f32>()?;
            vectorize(
                #[inline(always)]
                || {
                    for (row, &target) in logits.chunks_exact(vocabulary).zip(targets) {
                        let Normalizer { most, log_sum, entropy } = normalizer(row, inverse);
                        result.extend([(row[target as usize] - most) * inverse - log_sum, entropy]);
                    }
                },
            );
        }
        Ok((CpuStorage::F32(result), (self.rows.len(), 2).into()))
    }

    fn bwd(
        &self,
        hidden: &Tensor,
        output: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (of_hidden, of_output) = self.backward(&hidden.detach(), &output.detach(), grad)?;
        Ok((Some(of_hidden), Some(of_output)))
    }
}
