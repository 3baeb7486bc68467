//! Saved learners: a directory with the weights, the optimiser's state, and a file that names both.
//!
//! Files are named by their content and `learner.json` is replaced last and at once, so that a process
//! killed at any moment leaves the checkpoint before or the checkpoint after, never a mixture.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

use super::weights::{Weights, read_safetensors};
use crate::update::StateTensor;
use crate::{Error, Result};

const NAME: &str = "learner.json";
const FORMAT: u32 = 1;

/// What `learner.json` holds.
#[derive(Serialize, Deserialize)]
struct Manifest {
    format: u32,
    version: i64,
    weights: String,
    optimizer: String,
}

/// A checkpoint that was found whole.
pub(super) struct Saved {
    /// Version of the weights.
    pub version: i64,
    /// File of the weights.
    pub weights: PathBuf,
    optimizer: PathBuf,
}

impl Saved {
    /// The optimiser's state.
    pub fn optimizer(&self) -> Result<BTreeMap<String, StateTensor>> {
        let tensors = read_safetensors(&self.optimizer)?;
        let state = tensors.into_iter().map(|(name, tensor)| {
            let values = tensor.flatten_all()?.to_vec1()?;
            Ok((name, StateTensor { shape: tensor.dims().to_vec(), values }))
        });
        state.collect()
    }
}

/// Writes a checkpoint, or replaces the one that is there.
pub(super) fn save(
    directory: &Path,
    weights: &Weights,
    optimizer: &BTreeMap<String, StateTensor>,
    version: i64,
) -> Result<()> {
    fs::create_dir_all(directory).map_err(|source| failed("creating", directory, source))?;
    let mut tensors = HashMap::new();
    for (name, state) in optimizer {
        let tensor = Tensor::from_slice(&state.values, state.shape.as_slice(), &Device::Cpu)?;
        tensors.insert(name.as_str(), tensor);
    }
    let manifest = Manifest {
        format: FORMAT,
        version,
        weights: place(directory, "weights", |path| weights.save(path))?,
        optimizer: place(directory, "optimizer", |path| {
            candle_core::safetensors::save(&tensors, path).map_err(|source| failed("writing", path, source))
        })?,
    };
    let json = serde_json::to_vec_pretty(&manifest).map_err(|source| failed("writing", directory, source))?;
    let (next, path) = (directory.join("learner.json.next"), directory.join(NAME));
    fs::write(&next, json).map_err(|source| failed("writing", &next, source))?;
    fs::rename(&next, &path).map_err(|source| failed("writing", &path, source))?;
    remove_others(directory, &manifest)
}

/// Writes a file under a name of its content and returns the name.
fn place(directory: &Path, kind: &str, write: impl FnOnce(&Path) -> Result<()>) -> Result<String> {
    let next = directory.join(format!("{kind}.next"));
    write(&next)?;
    let bytes = fs::read(&next).map_err(|source| failed("reading", &next, source))?;
    let name = format!("{kind}-{:032x}.safetensors", XxHash3_128::oneshot(&bytes));
    let path = directory.join(&name);
    fs::rename(&next, &path).map_err(|source| failed("writing", &path, source))?;
    Ok(name)
}

/// Removes files of earlier checkpoints.
fn remove_others(directory: &Path, manifest: &Manifest) -> Result<()> {
    let entries = fs::read_dir(directory).map_err(|source| failed("reading", directory, source))?;
    for entry in entries {
        let entry = entry.map_err(|source| failed("reading", directory, source))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let ours = name.ends_with(".safetensors")
            && (name.starts_with("weights-") || name.starts_with("optimizer-"));
        if ours && name != manifest.weights && name != manifest.optimizer {
            fs::remove_file(entry.path()).map_err(|source| failed("removing", &entry.path(), source))?;
        }
    }
    Ok(())
}

/// Finds a checkpoint and checks that its files are whole.
pub(super) fn read(directory: &Path) -> Result<Saved> {
    let path = directory.join(NAME);
    let json = fs::read(&path).map_err(|source| failed("reading", &path, source))?;
    let manifest: Manifest =
        serde_json::from_slice(&json).map_err(|source| failed("reading", &path, source))?;
    if manifest.format != FORMAT {
        return Err(Error::usage(
            format!("{}: checkpoint format {} is not known", path.display(), manifest.format),
            "it was written by another release of meed",
        ));
    }
    let file = |name: &str| {
        let path = directory.join(name);
        let bytes = fs::read(&path).map_err(|source| failed("reading", &path, source))?;
        if !name.contains(&format!("{:032x}", XxHash3_128::oneshot(&bytes))) {
            return Err(Error::usage(
                format!("{}: the content is not what was saved", path.display()),
                "the file is damaged; resume from another checkpoint",
            ));
        }
        Ok(path)
    };
    Ok(Saved {
        version: manifest.version,
        weights: file(&manifest.weights)?,
        optimizer: file(&manifest.optimizer)?,
    })
}

fn failed(what: &str, path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::external(
        format!("{what} {}", path.display()),
        source,
        "is the directory a checkpoint, and may it be written?",
    )
}
