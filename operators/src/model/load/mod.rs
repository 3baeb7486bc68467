//! Trained models from files.

mod hugging_face;
mod llama2c;

use std::path::Path;

pub use hugging_face::{files, hugging_face, save};
pub use llama2c::llama2c;

use super::weights::Weights;
use crate::{Error, Result};

/// A model from a Hugging Face directory, or from a llama2.c file.
///
/// # Errors
/// As [`hugging_face`] and [`llama2c`]; a path that does not exist.
pub fn model(path: &Path) -> Result<Weights> {
    if path.is_dir() {
        return hugging_face(path);
    }
    if path.is_file() {
        return llama2c(path);
    }
    Err(Error::usage(
        format!("there is no model at {}", path.display()),
        "give a directory with config.json and model.safetensors, or a llama2.c file",
    ))
}
