//! Gradients of a batch: one backward pass per unit, summed in the order of units, handed back by name.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use super::backward::Seeds;
use super::ops::with_values;
use super::packing::Unit;
use super::transformer::{Kept, Transformer};
use super::weights::Weights;
use crate::Result;
use crate::objectives::Loss;

const EMBEDDING: &str = "model.embed_tokens.weight";

/// Derivatives of a loss with respect to the computed weights of a transformer and to its embedding.
#[derive(Debug, Clone, Default)]
pub(super) struct Gradients {
    computed: Vec<Option<Vec<f32>>>,
    embedding: Option<Vec<f32>>,
}

impl Gradients {
    /// Adds those of a unit, from the loss's derivatives with respect to its scores.
    pub fn add_unit(&mut self, model: &Transformer, unit: &Unit, kept: &Kept, loss: &Loss) -> Result<()> {
        let entropies = loss.entropies.as_deref();
        let pairs = unit
            .places
            .iter()
            .flat_map(|place| [loss.logprobs[*place] as f32, entropies.map_or(0.0, |of| of[*place] as f32)]);
        let scores = Tensor::from_vec(pairs.collect(), (unit.places.len(), 2), &Device::Cpu)?;
        let values = match &loss.values {
            Some(of) => {
                let own = &of[unit.first..unit.first + unit.before.len()];
                let own: Vec<f32> = own.iter().map(|x| *x as f32).collect();
                Some(Tensor::from_vec(own, unit.before.len(), &Device::Cpu)?)
            }
            None => None,
        };
        model.backward(unit, kept, &Seeds { scores, values }, self)
    }

    /// Adds to the gradient of a computed weight, if it is trained.
    pub fn add(&mut self, model: &Transformer, number: usize, part: &Tensor) -> Result<()> {
        self.computed.resize(model.computed.len(), None);
        if !model.computed[number].trained {
            return Ok(());
        }
        with_values(part, |part| {
            match &mut self.computed[number] {
                Some(sum) => add(sum, part),
                sum => *sum = Some(part.to_vec()),
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Adds the gradients of embedded tokens to the embedding's.
    pub fn add_embedded(&mut self, model: &Transformer, tokens: &[u32], lines: &Tensor) -> Result<()> {
        if !model.embedding_trained {
            return Ok(());
        }
        let hidden = model.config().hidden;
        let zeros = || vec![0.0; model.config().vocabulary * hidden];
        let sum = self.embedding.get_or_insert_with(zeros);
        with_values(lines, |lines| {
            for (line, token) in lines.chunks_exact(hidden).zip(tokens) {
                add(&mut sum[*token as usize * hidden..][..hidden], line);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Adds those of later units.
    pub fn add_later(&mut self, later: Gradients) {
        self.computed.resize(later.computed.len().max(self.computed.len()), None);
        for (sum, part) in self.computed.iter_mut().zip(later.computed) {
            merge(sum, part);
        }
        merge(&mut self.embedding, later.embedding);
    }

    /// The derivative of every trained weight by its name; those that had no part in the loss are absent.
    /// Adapters get theirs from that of the sum `W + scale B A`: `dA = scale B^T dW`, `dB = scale dW A^T`.
    pub fn by_name(self, model: &Transformer, weights: &Weights) -> Result<BTreeMap<String, Vec<f32>>> {
        let mut named: BTreeMap<String, Option<Vec<f32>>> = BTreeMap::new();
        for (gradient, weight) in self.computed.into_iter().zip(&model.computed) {
            let Some(gradient) = gradient else { continue };
            let total: usize = weight.parts.iter().map(|(_, width)| width).sum();
            let inner = gradient.len() / total;
            let matrix = weight.tensor.rank() == 2;
            let mut start = 0;
            for (name, width) in &weight.parts {
                let part = match matrix {
                    true => turned(&gradient, total, inner, start..start + width),
                    false => gradient[start..start + width].to_vec(),
                };
                start += width;
                let full = format!("{name}{}", weight.suffix);
                if matrix && let Some(adapter) = weights.adapter(name)? {
                    let part = (Tensor::from_slice(&part, (*width, inner), &Device::Cpu)? * adapter.scale)?;
                    let down = adapter.up.detach().t()?.matmul(&part)?;
                    let up = part.matmul(&adapter.down.detach().t()?)?;
                    for (letter, gradient) in [("A", down), ("B", up)] {
                        let values = gradient.flatten_all()?.to_vec1()?;
                        merge(named.entry(format!("{name}.lora_{letter}.weight")).or_default(), Some(values));
                    }
                }
                if weights.parameter(&full)?.trainable() {
                    merge(named.entry(full).or_default(), Some(part));
                }
            }
        }
        if self.embedding.is_some() {
            merge(named.entry(EMBEDDING.to_owned()).or_default(), self.embedding);
        }
        Ok(named.into_iter().filter_map(|(name, gradient)| Some((name, gradient?))).collect())
    }
}

/// Columns of a matrix `[inner, total]` as rows.
fn turned(values: &[f32], total: usize, inner: usize, columns: std::ops::Range<usize>) -> Vec<f32> {
    let mut rows = vec![0.0; columns.len() * inner];
    for (i, line) in values.chunks_exact(total).enumerate() {
        for (row, x) in rows.chunks_exact_mut(inner).zip(&line[columns.clone()]) {
            row[i] = *x;
        }
    }
    rows
}

fn add(sum: &mut [f32], part: &[f32]) {
    sum.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
}

fn merge(sum: &mut Option<Vec<f32>>, part: Option<Vec<f32>>) {
    match (sum.as_mut(), part) {
        (Some(sum), Some(part)) => add(sum, &part),
        (None, part) => *sum = part,
        (Some(_), None) => {}
    }
}
