//! Weights as safetensors files: all of them by name, adapters included.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::safetensors::BufferedSafetensors;
use candle_core::{DType, Device, Tensor};

use super::Weights;
use crate::{Error, Result};

impl Weights {
    /// Writes every weight (adapters beside their matrices) into a safetensors file; the same weights
    /// give the same bytes. For a file that others read, save [`Weights::merged`].
    pub fn save(&self, path: &Path) -> Result<()> {
        // The writer sorts by name, whatever the map's order.
        let tensors: HashMap<&str, Tensor> =
            self.parameters.iter().map(|parameter| (parameter.name(), parameter.tensor.clone())).collect();
        candle_core::safetensors::save(&tensors, path).map_err(|source| {
            Error::external(
                format!("writing {}", path.display()),
                source,
                "is there space, and may it be written?",
            )
        })
    }

    /// Replaces all values by those of a file that [`Weights::save`] wrote for the same configuration
    /// and adapters; every clone of a tensor sees them. Nothing changes where the file does not fit.
    ///
    /// # Errors
    /// A file that cannot be read; tensors that are missing, unexpected or of another shape, by name.
    pub fn load(&self, path: &Path) -> Result<()> {
        let mut tensors = read_safetensors(path)?;
        let misfit = |message: String| {
            Error::usage(
                format!("{}: {message}", path.display()),
                "the file belongs to another model or other adapters",
            )
        };
        let mut found = Vec::new();
        for parameter in &self.parameters {
            let name = parameter.name();
            let tensor =
                tensors.remove(name).ok_or_else(|| misfit(format!("there is no tensor `{name}`")))?;
            if tensor.dims() != parameter.tensor.dims() {
                return Err(misfit(format!(
                    "tensor `{name}` has shape {:?} and not {:?}",
                    tensor.dims(),
                    parameter.tensor.dims()
                )));
            }
            found.push(tensor);
        }
        if let Some(name) = tensors.keys().next() {
            return Err(misfit(format!("tensor `{name}` is not expected")));
        }
        for (parameter, tensor) in self.parameters.iter().zip(found) {
            parameter.var.set(&tensor)?;
        }
        Ok(())
    }
}

/// All tensors of a safetensors file as 32-bit floats.
///
/// # Errors
/// A file that cannot be read, is cut short, or holds something else than f32, f16 and bf16.
pub(crate) fn read_safetensors(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    let reading = || format!("reading {}", path.display());
    let bytes =
        std::fs::read(path).map_err(|source| Error::external(reading(), source, "is the path right?"))?;
    let broken = "the file is cut short or is no safetensors file; fetch it again";
    let file =
        BufferedSafetensors::new(bytes).map_err(|source| Error::external(reading(), source, broken))?;
    let mut tensors = BTreeMap::new();
    for (name, _) in file.tensors() {
        let tensor =
            file.load(&name, &Device::Cpu).map_err(|source| Error::external(reading(), source, broken))?;
        if !matches!(tensor.dtype(), DType::F32 | DType::F16 | DType::BF16) {
            return Err(Error::usage(
                format!("{}: tensor `{name}` is of type {:?}", path.display(), tensor.dtype()),
                "weights are f32, f16 or bf16; quantised models are not supported",
            ));
        }
        tensors.insert(name, tensor.to_dtype(DType::F32)?);
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests {
    use super::super::Lora;
    use super::*;
    use crate::model::config::ModelConfig;
    use crate::random::RandomKey;

    fn weights(seed: u64, rank: usize) -> Weights {
        let config = ModelConfig::named("16x2x2x32", 11).unwrap().with_value_head();
        let key = RandomKey::new(seed, 0, "", "");
        let lora = Lora { rank, alpha: 8.0, targets: vec!["v_proj".into()] };
        Weights::new(&config, key).unwrap().with_lora(lora, key).unwrap()
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let (first, second) = (directory.path().join("1"), directory.path().join("2"));
        let (saved, other) = (weights(1, 2), weights(2, 2));
        saved.save(&first).unwrap();
        let clone = other.tensor("model.norm.weight").unwrap().clone();
        saved.parameter("model.norm.weight").unwrap().set(&[2.0; 16]).unwrap();
        saved.save(&first).unwrap();
        other.load(&first).unwrap();
        assert_eq!(clone.to_vec1::<f32>().unwrap(), [2.0; 16]);
        for (a, b) in saved.parameters().iter().zip(other.parameters()) {
            assert_eq!((a.name(), a.values().unwrap()), (b.name(), b.values().unwrap()));
        }
        other.save(&second).unwrap();
        assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());
    }

    #[test]
    fn a_file_that_does_not_fit_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("weights.safetensors");
        let target = weights(2, 2);
        let before = target.parameters()[0].values().unwrap();
        weights(1, 3).save(&path).unwrap();
        let message = target.load(&path).unwrap_err().to_string();
        assert!(message.contains("lora_A.weight` has shape [3, 16] and not [2, 16]"), "{message}");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let message = target.load(&path).unwrap_err().to_string();
        assert!(message.contains("weights.safetensors"), "{message}");
        assert_eq!(target.parameters()[0].values().unwrap(), before);
    }
}
