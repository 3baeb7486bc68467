//! Hugging Face model directories: `config.json` and safetensors, in one file or several.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use serde_json::Value;

use crate::model::config::ModelConfig;
use crate::model::weights::{Weights, read_safetensors};
use crate::{Error, Place, Result};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Reads a directory with `config.json` and `model.safetensors`, or the files that
/// `model.safetensors.index.json` lists. 16-bit floats become 32-bit ones.
///
/// # Errors
/// As [`ModelConfig::read`]; files that are missing or cut short; tensors that are missing, unexpected or
/// of another shape, by name.
pub fn hugging_face(directory: &Path) -> Result<Weights> {
    let config = ModelConfig::read(&directory.join("config.json"))?;
    let mut tensors = BTreeMap::new();
    for file in files(directory)? {
        for (name, tensor) in read_safetensors(&file)? {
            if tensors.insert(name.clone(), tensor).is_some() {
                return Err(Error::data(
                    Place::file(file.display().to_string()),
                    format!("tensor `{name}` is in another file too"),
                    "the directory mixes files of several models",
                ));
            }
        }
    }
    drop_redundant(&config, &mut tensors);
    Weights::from_tensors(&config, tensors).map_err(|error| {
        Error::data(Place::file(directory.display().to_string()), error.to_string(), error.hint())
    })
}

/// Writes a directory that [`hugging_face`] and transformers read; adapters are merged in.
pub fn save(weights: &Weights, directory: &Path) -> Result<()> {
    let writing = |path: &Path, source| {
        Error::external(format!("writing {}", path.display()), source, "may the directory be written?")
    };
    std::fs::create_dir_all(directory).map_err(|source| writing(directory, source))?;
    let path = directory.join("config.json");
    let text = format!("{:#}\n", weights.config().to_json());
    std::fs::write(&path, text).map_err(|source| writing(&path, source))?;
    weights.merged()?.save(&directory.join(SINGLE))
}

/// What files may hold beside the parameters: the rotation's frequencies, and a copy of tied embeddings.
fn drop_redundant(config: &ModelConfig, tensors: &mut BTreeMap<String, Tensor>) {
    tensors.retain(|name, _| !name.ends_with("rotary_emb.inv_freq"));
    if config.tied_embeddings {
        tensors.remove("lm_head.weight");
    }
}

/// The files that hold the weights of a directory.
///
/// # Errors
/// A directory without weights, or with an index that cannot be read.
pub fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let single = directory.join(SINGLE);
    let index = directory.join(INDEX);
    if single.is_file() {
        return Ok(vec![single]);
    }
    if !index.is_file() {
        return Err(Error::usage(
            format!("{} has neither {SINGLE} nor {INDEX}", directory.display()),
            "fetch the weights in the safetensors format",
        ));
    }
    let place = index.display().to_string();
    let text = std::fs::read_to_string(&index)
        .map_err(|source| Error::external(format!("reading {place}"), source, ""))?;
    let value: Value = serde_json::from_str(&text)
        .map_err(|source| Error::external(format!("reading {place}"), source, "the file is not JSON"))?;
    let bad = |message: &str| Error::data(Place::file(&place), message, "fetch the index again");
    let map =
        value.get("weight_map").and_then(Value::as_object).ok_or_else(|| bad("there is no weight_map"))?;
    let mut names = BTreeSet::new();
    for (tensor, file) in map {
        let name = file.as_str().filter(|name| Path::new(name).file_name() == Some(name.as_ref()));
        names.insert(
            name.ok_or_else(|| bad(&format!("tensor `{tensor}` is in {file}, which is no file name")))?,
        );
    }
    Ok(names.into_iter().map(|name| directory.join(name)).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::{DType, Device};
    use serde_json::json;

    use super::*;
    use crate::model::config::Family;
    use crate::random::RandomKey;

    fn weights(family: Family) -> Weights {
        let mut config = ModelConfig::named("16x2x4x24", 11).unwrap();
        config.family = family;
        config.key_value_heads = 2;
        config.head_dim = if family == Family::Qwen3 { 8 } else { 4 };
        config.attention_bias = family == Family::Qwen2;
        config.query_key_norm = family == Family::Qwen3;
        config.tied_embeddings = family != Family::Llama;
        Weights::new(&config, RandomKey::new(3, 0, "", "")).unwrap()
    }

    fn assert_same(a: &Weights, b: &Weights, tolerance: f32) {
        assert_eq!(a.config(), b.config());
        for (a, b) in a.parameters().iter().zip(b.parameters()) {
            assert_eq!(a.name(), b.name());
            for (x, y) in a.values().unwrap().iter().zip(b.values().unwrap()) {
                assert!((x - y).abs() <= tolerance * (x.abs() + 1e-3), "{}: {x} {y}", a.name());
            }
        }
    }

    fn tensors(weights: &Weights, dtype: DType) -> BTreeMap<String, Tensor> {
        let convert = |tensor: &Tensor| tensor.to_dtype(dtype).unwrap();
        weights.parameters().iter().map(|p| (p.name().to_owned(), convert(p.tensor()))).collect()
    }

    fn write(directory: &Path, name: &str, tensors: &BTreeMap<String, Tensor>) {
        let map: HashMap<&str, Tensor> = tensors.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
        candle_core::safetensors::save(&map, directory.join(name)).unwrap();
    }

    #[test]
    fn what_is_saved_is_loaded() {
        for family in [Family::Llama, Family::Qwen2, Family::Qwen3] {
            let directory = tempfile::tempdir().unwrap();
            let weights = weights(family);
            save(&weights, directory.path()).unwrap();
            assert_same(&weights, &hugging_face(directory.path()).unwrap(), 0.0);
        }
    }

    #[test]
    fn half_precision_and_shards_are_read() {
        for (dtype, tolerance) in [(DType::F16, 1e-3), (DType::BF16, 8e-3)] {
            let directory = tempfile::tempdir().unwrap();
            let weights = weights(Family::Qwen2);
            save(&weights, directory.path()).unwrap();
            std::fs::remove_file(directory.path().join(SINGLE)).unwrap();
            let mut first = tensors(&weights, dtype);
            let second = first.split_off("model.layers.1");
            write(directory.path(), "model-00001-of-00002.safetensors", &first);
            write(directory.path(), "model-00002-of-00002.safetensors", &second);
            let entry = |name: &String, file: &str| {
                (name.clone(), json!(format!("model-{file}-of-00002.safetensors")))
            };
            let map: serde_json::Map<String, Value> = first
                .keys()
                .map(|name| entry(name, "00001"))
                .chain(second.keys().map(|name| entry(name, "00002")))
                .collect();
            let index = json!({"metadata": {}, "weight_map": map}).to_string();
            std::fs::write(directory.path().join(INDEX), index).unwrap();
            assert_same(&weights, &hugging_face(directory.path()).unwrap(), tolerance);
            std::fs::remove_file(directory.path().join("model-00002-of-00002.safetensors")).unwrap();
            let message = hugging_face(directory.path()).unwrap_err().to_string();
            assert!(message.contains("model-00002-of-00002.safetensors"), "{message}");
        }
    }

    #[test]
    fn tensors_that_do_not_fit_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let weights = weights(Family::Qwen3);
        save(&weights, path).unwrap();
        let mut copy = tensors(&weights, DType::F32);
        copy.insert("lm_head.weight".into(), copy["model.embed_tokens.weight"].clone());
        write(path, SINGLE, &copy);
        assert_same(&weights, &hugging_face(path).unwrap(), 0.0);

        let bytes = std::fs::read(path.join(SINGLE)).unwrap();
        std::fs::write(path.join(SINGLE), &bytes[..bytes.len() - 10]).unwrap();
        assert!(hugging_face(path).unwrap_err().to_string().contains(SINGLE));

        let name = "model.layers.1.self_attn.k_norm.weight";
        let mut missing = tensors(&weights, DType::F32);
        missing.remove(name);
        write(path, SINGLE, &missing);
        assert!(hugging_face(path).unwrap_err().to_string().contains(name));

        let mut misshaped = tensors(&weights, DType::F32);
        misshaped.insert(name.into(), Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap());
        write(path, SINGLE, &misshaped);
        assert!(hugging_face(path).unwrap_err().to_string().contains("shape [3]"));

        let mut integers = tensors(&weights, DType::F32);
        integers.insert(name.into(), Tensor::zeros(8, DType::U8, &Device::Cpu).unwrap());
        write(path, SINGLE, &integers);
        assert!(hugging_face(path).unwrap_err().to_string().contains("U8"));

        std::fs::remove_file(path.join(SINGLE)).unwrap();
        assert!(hugging_face(path).unwrap_err().to_string().contains("neither"));
        std::fs::write(path.join(INDEX), r#"{"weight_map": {"x": "../x"}}"#).unwrap();
        assert!(hugging_face(path).unwrap_err().to_string().contains("no file name"));
    }
}
