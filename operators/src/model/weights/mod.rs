//! The weights of a model by name, in the order of the forward pass: made, read, changed and saved.

mod file;
mod initialize;
mod lora;

pub(crate) use file::read_safetensors;
pub use lora::{Adapter, Lora};

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};

use super::config::ModelConfig;
use crate::{Error, Result};

/// A named weight. Whoever trains changes it in place; a frozen one takes no gradient.
#[derive(Debug, Clone)]
pub struct Parameter {
    name: String,
    var: Var,
    tensor: Tensor,
    trainable: bool,
}

impl Parameter {
    fn new(name: String, value: &Tensor, trainable: bool) -> Result<Self> {
        // Detached first, because a variable of a variable would share its storage.
        let var = Var::from_tensor(&value.detach().to_dtype(DType::F32)?.contiguous()?)?;
        let tensor = if trainable { var.as_tensor().clone() } else { var.as_detached_tensor() };
        Ok(Parameter { name, var, tensor, trainable })
    }

    /// Name as in Hugging Face files.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The values for a forward pass: a variable of the gradient where trainable, a constant otherwise.
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// Whether training changes it.
    pub fn trainable(&self) -> bool {
        self.trainable
    }

    /// The values, row by row.
    pub fn values(&self) -> Result<Vec<f32>> {
        Ok(self.tensor.flatten_all()?.to_vec1()?)
    }

    /// Replaces the values, row by row; every clone of the tensor sees them.
    ///
    /// # Errors
    /// Another number of values.
    pub fn set(&self, values: &[f32]) -> Result<()> {
        let elements = self.tensor.elem_count();
        if values.len() != elements {
            return Err(Error::usage(
                format!("{} has {elements} values, and {} were given", self.name, values.len()),
                "the weights are those of another model",
            ));
        }
        self.var.set(&Tensor::from_slice(values, self.tensor.dims(), self.tensor.device())?)?;
        Ok(())
    }
}

/// A matrix with what is added to its product: `y = x W^T + b + scale (x A^T) B^T`.
#[derive(Debug, Clone)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Tensor,
    /// `[out]`.
    pub bias: Option<Tensor>,
    /// Low-rank addition, where there is one.
    pub adapter: Option<Adapter>,
}

/// All weights of a model, 32-bit floats on the CPU, optionally with low-rank adapters.
///
/// ```
/// use meed_operators::model::{config::ModelConfig, weights::Weights};
/// use meed_operators::random::RandomKey;
/// let config = ModelConfig::named("32x2x4x64", 97)?;
/// let weights = Weights::new(&config, RandomKey::new(7, 0, "", ""))?;
/// assert_eq!(weights.tensor("model.layers.1.mlp.down_proj.weight")?.dims(), [32, 64]);
/// assert!(weights.parameters().iter().all(|parameter| parameter.trainable()));
/// # Ok::<(), meed_operators::Error>(())
/// ```
#[derive(Debug)]
pub struct Weights {
    config: ModelConfig,
    parameters: Vec<Parameter>,
    index: BTreeMap<String, usize>,
    lora: Option<Lora>,
}

impl Weights {
    /// Weights from named tensors, in any order and of any floating-point type; all are trainable.
    ///
    /// # Errors
    /// A tensor that is missing, unexpected, or of another shape, by name.
    pub fn from_tensors(config: &ModelConfig, mut tensors: BTreeMap<String, Tensor>) -> Result<Self> {
        config.check()?;
        let mut parameters = Vec::new();
        for expected in config.parameters() {
            let tensor = tensors.remove(&expected.name).ok_or_else(|| {
                Error::usage(
                    format!("the weights have no tensor `{}`", expected.name),
                    "the file is incomplete, or belongs to another configuration",
                )
            })?;
            if tensor.dims() != expected.shape {
                return Err(Error::usage(
                    format!(
                        "tensor `{}` has shape {:?}, and the configuration asks for {:?}",
                        expected.name,
                        tensor.dims(),
                        expected.shape
                    ),
                    "config.json and the weights belong to different models",
                ));
            }
            parameters.push(Parameter::new(expected.name, &tensor, true)?);
        }
        if let Some(name) = tensors.keys().next() {
            return Err(Error::usage(
                format!("the weights have a tensor `{name}` that the configuration does not know"),
                "config.json and the weights belong to different models",
            ));
        }
        Ok(Self::assemble(config.clone(), parameters, None))
    }

    fn assemble(config: ModelConfig, parameters: Vec<Parameter>, lora: Option<Lora>) -> Self {
        let index = parameters.iter().enumerate().map(|(i, parameter)| (parameter.name.clone(), i)).collect();
        Weights { config, parameters, index, lora }
    }

    /// Sizes and variants.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The adapters' shape, where there are any.
    pub fn lora(&self) -> Option<&Lora> {
        self.lora.as_ref()
    }

    /// All weights in canonical order: the forward pass, then adapters in the order of their matrices.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The weights that training changes, in canonical order.
    pub fn trainable(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|parameter| parameter.trainable)
    }

    /// A weight by name.
    ///
    /// # Errors
    /// A name that this model has not.
    pub fn parameter(&self, name: &str) -> Result<&Parameter> {
        self.find(name).ok_or_else(|| {
            Error::usage(
                format!("the model has no weight `{name}`"),
                "names are those of Hugging Face files, as in `model.layers.0.mlp.up_proj.weight`",
            )
        })
    }

    fn find(&self, name: &str) -> Option<&Parameter> {
        self.index.get(name).map(|place| &self.parameters[*place])
    }

    /// The values of a weight by name, see [`Parameter::tensor`].
    pub fn tensor(&self, name: &str) -> Result<&Tensor> {
        Ok(self.parameter(name)?.tensor())
    }

    /// The matrix `{name}.weight` with its bias and adapter, as in `model.layers.0.self_attn.q_proj`.
    pub fn linear(&self, name: &str) -> Result<Linear> {
        Ok(Linear {
            weight: self.tensor(&format!("{name}.weight"))?.clone(),
            bias: self.find(&format!("{name}.bias")).map(|parameter| parameter.tensor.clone()),
            adapter: self.adapter(name)?,
        })
    }

    /// The output matrix `[vocabulary, hidden]`: `lm_head`, or the embedding where they are tied.
    pub fn output(&self) -> Result<&Tensor> {
        if self.config.tied_embeddings {
            self.tensor("model.embed_tokens.weight")
        } else {
            self.tensor("lm_head.weight")
        }
    }

    /// The value head: a row `[1, hidden]` and its bias `[1]`.
    pub fn value_head(&self) -> Result<Option<(&Tensor, &Tensor)>> {
        if !self.config.value_head {
            return Ok(None);
        }
        Ok(Some((self.tensor("value_head.weight")?, self.tensor("value_head.bias")?)))
    }

    /// A copy that later changes to these weights do not reach.
    pub fn snapshot(&self) -> Result<Self> {
        let copy = |parameter: &Parameter| {
            Parameter::new(parameter.name.clone(), parameter.tensor(), parameter.trainable)
        };
        let parameters = self.parameters.iter().map(copy).collect::<Result<_>>()?;
        Ok(Self::assemble(self.config.clone(), parameters, self.lora.clone()))
    }

    /// The same weights with a fresh value head of zeros, for a loaded model that has none.
    pub fn with_value_head(self) -> Result<Self> {
        if self.config.value_head {
            return Ok(self);
        }
        let config = self.config.clone().with_value_head();
        let mut parameters = self.parameters;
        let at = config.parameters().len() - 2;
        let zeros = |name: &str, shape: &[usize]| {
            Parameter::new(name.to_owned(), &Tensor::zeros(shape, DType::F32, &Device::Cpu)?, true)
        };
        parameters.insert(at, zeros("value_head.weight", &[1, config.hidden])?);
        parameters.insert(at + 1, zeros("value_head.bias", &[1])?);
        Ok(Self::assemble(config, parameters, self.lora))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::RandomKey;

    fn weights() -> Weights {
        let config = ModelConfig::named("16x2x2x32", 11).unwrap();
        Weights::new(&config, RandomKey::new(3, 0, "", "")).unwrap()
    }

    #[test]
    fn a_change_reaches_clones_but_not_snapshots() {
        let weights = weights();
        let snapshot = weights.snapshot().unwrap();
        let linear = weights.linear("model.layers.0.mlp.up_proj").unwrap();
        let before = snapshot.parameter("model.layers.0.mlp.up_proj.weight").unwrap().values().unwrap();
        let parameter = weights.parameter("model.layers.0.mlp.up_proj.weight").unwrap();
        parameter.set(&vec![0.5; before.len()]).unwrap();
        assert!(parameter.set(&[0.5]).is_err());
        assert_eq!(linear.weight.flatten_all().unwrap().to_vec1::<f32>().unwrap(), vec![0.5; before.len()]);
        assert_eq!(
            snapshot.parameter("model.layers.0.mlp.up_proj.weight").unwrap().values().unwrap(),
            before
        );
    }

    #[test]
    fn wrong_tensors_are_named() {
        let weights = weights();
        let tensors = || -> BTreeMap<String, Tensor> {
            weights.parameters().iter().map(|p| (p.name().to_owned(), p.tensor().clone())).collect()
        };
        let message = |tensors| Weights::from_tensors(weights.config(), tensors).unwrap_err().to_string();
        let mut missing = tensors();
        missing.remove("model.norm.weight");
        assert!(message(missing).contains("no tensor `model.norm.weight`"));
        let mut unexpected = tensors();
        unexpected.insert("extra".into(), Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap());
        assert!(message(unexpected).contains("`extra`"));
        let mut shape = tensors();
        shape.insert("model.norm.weight".into(), Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap());
        assert!(message(shape).contains("`model.norm.weight` has shape [3]"));
    }

    #[test]
    fn a_value_head_is_added_before_the_adapters() {
        let lora = Lora { rank: 2, alpha: 4.0, targets: vec!["q_proj".into()] };
        let key = RandomKey::new(1, 0, "", "");
        let weights = weights().with_lora(lora, key).unwrap().with_value_head().unwrap();
        let names: Vec<&str> = weights.trainable().map(Parameter::name).collect();
        assert_eq!(names[..2], ["value_head.weight", "value_head.bias"]);
        assert_eq!(names.len(), 2 + 2 * 2);
        assert!(weights.value_head().unwrap().is_some());
    }
}
