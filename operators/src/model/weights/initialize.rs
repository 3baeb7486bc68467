//! Fresh weights: a function of the key and each weight's name, not of order or threads.

use candle_core::{Device, Tensor};
use rand::RngCore;

use super::{Parameter, Weights};
use crate::Result;
use crate::model::config::{ModelConfig, ParameterKind};
use crate::random::RandomKey;

impl Weights {
    /// Fresh weights: matrices normal with the configuration's `initializer_range`, those that write to
    /// the residual stream divided by `sqrt(2 layers)`, norms 1, biases and value head 0.
    ///
    /// # Errors
    /// A configuration whose sizes do not fit together.
    pub fn new(config: &ModelConfig, key: RandomKey) -> Result<Self> {
        config.check()?;
        let residual = config.initializer_range / (2.0 * config.layers as f64).sqrt();
        let mut parameters = Vec::new();
        for parameter in config.parameters() {
            let values = match parameter.kind {
                ParameterKind::Norm => vec![1.0; parameter.elements()],
                ParameterKind::Zero => vec![0.0; parameter.elements()],
                ParameterKind::Matrix => {
                    normal(key.within(&parameter.name), parameter.elements(), config.initializer_range)
                }
                ParameterKind::Residual => {
                    normal(key.within(&parameter.name), parameter.elements(), residual)
                }
            };
            let tensor = Tensor::from_vec(values, parameter.shape, &Device::Cpu)?;
            parameters.push(Parameter::new(parameter.name, &tensor, true)?);
        }
        Ok(Self::assemble(config.clone(), parameters, None))
    }
}

/// A number of `[0, 1)` with 53 random bits.
pub(super) fn uniform(generator: &mut impl RngCore) -> f64 {
    (generator.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// Normal draws by Box and Muller's transform.
fn normal(key: RandomKey, count: usize, deviation: f64) -> Vec<f32> {
    let mut generator = key.at(0);
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        // The complement keeps the logarithm finite.
        let radius = (-2.0 * (1.0 - uniform(&mut generator)).ln()).sqrt();
        let (sine, cosine) = (2.0 * std::f64::consts::PI * uniform(&mut generator)).sin_cos();
        values.push((deviation * radius * cosine) as f32);
        values.push((deviation * radius * sine) as f32);
    }
    values.truncate(count);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_normal_and_repeat() {
        let key = RandomKey::new(5, 0, "", "");
        let values = normal(key, 20_001, 0.02);
        assert_eq!(values, normal(key, 20_001, 0.02));
        assert_ne!(values, normal(key.within("other"), 20_001, 0.02));
        let count = values.len() as f64;
        let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
        let variance = values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / count;
        let fourth = values.iter().map(|value| f64::from(*value).powi(4)).sum::<f64>() / count;
        assert!(mean.abs() < 0.02 * 0.03, "{mean}");
        assert!((variance.sqrt() / 0.02 - 1.0).abs() < 0.02, "{variance}");
        assert!((fourth / variance.powi(2) - 3.0).abs() < 0.15, "{fourth}");
    }

    #[test]
    fn a_weight_does_not_depend_on_the_others() {
        let key = RandomKey::new(5, 0, "", "");
        let shallow = Weights::new(&ModelConfig::named("16x1x2x32", 11).unwrap(), key).unwrap();
        let deep = Weights::new(&ModelConfig::named("16x3x2x32", 11).unwrap(), key).unwrap();
        let name = "model.layers.0.self_attn.q_proj.weight";
        assert_eq!(
            shallow.parameter(name).unwrap().values().unwrap(),
            deep.parameter(name).unwrap().values().unwrap()
        );
    }
}
