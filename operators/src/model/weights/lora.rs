//! Low-rank adapters (LoRA, arXiv 2106.09685): a frozen matrix plus a trainable product of two thin ones.

use candle_core::{DType, Device, Tensor};

use super::initialize::uniform;
use super::{Parameter, Weights};
use crate::random::RandomKey;
use crate::{Error, Result};

/// The shape of adapters.
#[derive(Debug, Clone, PartialEq)]
pub struct Lora {
    /// Inner width of each product.
    pub rank: usize,
    /// The product is scaled by `alpha / rank`.
    pub alpha: f64,
    /// Matrices that get one, by the last part of their name: `q_proj`, `v_proj`, `up_proj`, ...
    pub targets: Vec<String>,
}

impl Lora {
    /// Factor of the product.
    pub fn scale(&self) -> f64 {
        self.alpha / self.rank as f64
    }
}

/// The two thin matrices that are added to one: `W + scale B A`.
#[derive(Debug, Clone)]
pub struct Adapter {
    /// `A`, `[rank, in]`.
    pub down: Tensor,
    /// `B`, `[out, rank]`.
    pub up: Tensor,
    /// Factor of the product.
    pub scale: f64,
}

const PROJECTIONS: [&str; 7] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

impl Weights {
    /// The same weights, frozen, with fresh adapters: `A` uniform within `1 / sqrt(in)`, `B` zero (as
    /// PEFT), so that nothing changes before training. A value head stays trainable.
    ///
    /// # Errors
    /// A rank of 0, targets that do not exist, adapters that are there already.
    pub fn with_lora(self, lora: Lora, key: RandomKey) -> Result<Self> {
        let refuse = |message: String| Err(Error::usage(message, "see `Lora` for rank, alpha and targets"));
        if self.lora.is_some() {
            return refuse("the weights have adapters already; merge them first".into());
        }
        if lora.rank == 0 || !lora.alpha.is_finite() || lora.targets.is_empty() {
            return refuse("adapters need a rank above 0, a finite alpha and at least one target".into());
        }
        if let Some(target) = lora.targets.iter().find(|target| !PROJECTIONS.contains(&target.as_str())) {
            return refuse(format!("there is no matrix `{target}`; there are {}", PROJECTIONS.join(", ")));
        }
        let mut parameters = Vec::new();
        let mut adapters = Vec::new();
        for parameter in &self.parameters {
            let trainable = parameter.name.starts_with("value_head.");
            parameters.push(Parameter::new(parameter.name.clone(), &parameter.tensor, trainable)?);
            let Some(matrix) = target(&parameter.name, &lora) else { continue };
            let (out, input) = parameter.tensor.dims2()?;
            let bound = 1.0 / (input as f64).sqrt();
            let mut generator = key.within(matrix).at(0);
            let draws: Vec<f32> = (0..lora.rank * input)
                .map(|_| ((2.0 * uniform(&mut generator) - 1.0) * bound) as f32)
                .collect();
            let down = Tensor::from_vec(draws, (lora.rank, input), &Device::Cpu)?;
            let up = Tensor::zeros((out, lora.rank), DType::F32, &Device::Cpu)?;
            adapters.push(Parameter::new(format!("{matrix}.lora_A.weight"), &down, true)?);
            adapters.push(Parameter::new(format!("{matrix}.lora_B.weight"), &up, true)?);
        }
        parameters.extend(adapters);
        Ok(Self::assemble(self.config, parameters, Some(lora)))
    }

    /// The adapter of the matrix `{name}.weight`, where it has one.
    pub fn adapter(&self, name: &str) -> Result<Option<Adapter>> {
        let Some(lora) = &self.lora else { return Ok(None) };
        let Some(down) = self.find(&format!("{name}.lora_A.weight")) else { return Ok(None) };
        let up = self.parameter(&format!("{name}.lora_B.weight"))?;
        Ok(Some(Adapter { down: down.tensor.clone(), up: up.tensor.clone(), scale: lora.scale() }))
    }

    /// A copy in which adapters are added into their matrices, for serving and for files that others
    /// read; a plain copy where there are none. All its weights are trainable.
    pub fn merged(&self) -> Result<Self> {
        let mut parameters = Vec::new();
        for parameter in &self.parameters {
            if parameter.name.contains(".lora_") {
                continue;
            }
            let adapter = match parameter.name.strip_suffix(".weight") {
                Some(matrix) => self.adapter(matrix)?,
                None => None,
            };
            let value = match adapter {
                Some(Adapter { down, up, scale }) => {
                    let product = (up.detach().matmul(&down.detach())? * scale)?;
                    (parameter.tensor.detach() + product)?
                }
                None => parameter.tensor.detach(),
            };
            parameters.push(Parameter::new(parameter.name.clone(), &value, true)?);
        }
        Ok(Self::assemble(self.config.clone(), parameters, None))
    }
}

/// The matrix's name without `.weight`, if it is a target.
fn target<'a>(name: &'a str, lora: &Lora) -> Option<&'a str> {
    let matrix = name.strip_suffix(".weight")?;
    let last = matrix.rsplit('.').next()?;
    lora.targets.iter().any(|target| target == last).then_some(matrix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::ModelConfig;

    #[test]
    fn adapters_train_alone_and_merge() {
        let key = RandomKey::new(3, 0, "", "");
        let plain = Weights::new(&ModelConfig::named("16x2x2x32", 11).unwrap(), key).unwrap();
        let before = plain.snapshot().unwrap();
        let lora = Lora { rank: 2, alpha: 8.0, targets: vec!["q_proj".into(), "down_proj".into()] };
        let weights = plain.with_lora(lora.clone(), key).unwrap();
        assert_eq!(weights.trainable().count(), 2 * 2 * 2);
        assert!(weights.adapter("model.layers.0.self_attn.k_proj").unwrap().is_none());
        let name = "model.layers.1.mlp.down_proj";
        let value =
            |weights: &Weights| weights.parameter(&format!("{name}.weight")).unwrap().values().unwrap();
        assert_eq!(value(&weights.merged().unwrap()), value(&before));

        let up: Vec<f32> = (0..16 * 2).map(|i| i as f32 * 0.01).collect();
        weights.parameter(&format!("{name}.lora_B.weight")).unwrap().set(&up).unwrap();
        let down = weights.parameter(&format!("{name}.lora_A.weight")).unwrap().values().unwrap();
        let merged = weights.merged().unwrap();
        assert!(merged.lora().is_none());
        for (row, chunk) in value(&merged).chunks(32).enumerate() {
            for (column, got) in chunk.iter().enumerate() {
                let product: f32 = (0..2).map(|r| up[row * 2 + r] * down[r * 32 + column]).sum();
                let want = value(&before)[row * 32 + column] + 4.0 * product;
                assert!((got - want).abs() < 1e-6);
            }
        }
        assert!(weights.with_lora(lora, key).is_err());
    }

    #[test]
    fn nonsense_is_refused() {
        let key = RandomKey::new(3, 0, "", "");
        for (rank, target, reason) in [(0, "q_proj", "rank above 0"), (2, "c_attn", "no matrix `c_attn`")] {
            let weights = Weights::new(&ModelConfig::named("16x2x2x32", 11).unwrap(), key).unwrap();
            let lora = Lora { rank, alpha: 1.0, targets: vec![target.into()] };
            assert!(weights.with_lora(lora, key).unwrap_err().to_string().contains(reason));
        }
    }
}
