//! The model that judges ask for likelihoods.

use std::path::Path;

use meed_operators::Result;
use meed_operators::judge::JudgeContext;

/// The context of a model in a directory (Hugging Face, or a checkpoint of a training run) or in a llama2.c
/// file. Scores depend on its weights, so a stored score of another model is not taken for one of this.
///
/// # Errors
/// A model that does not exist or cannot be read; a program that was built without models.
#[cfg(feature = "model")]
pub fn model_context(path: &Path) -> Result<JudgeContext> {
    use std::sync::Arc;

    use meed_operators::model::{LocalPolicy, load};

    use crate::fingerprint;
    use crate::train::tokenizer_beside;

    let weights = load::model(path)?;
    let file = if path.is_dir() { weights_file(path) } else { path.to_owned() };
    let location = meed_connectors::Location::parse(&file.display().to_string())?;
    Ok(JudgeContext {
        policy: Some(Arc::new(LocalPolicy::new(&weights, 0)?)),
        tokenizer: Some(tokenizer_beside(path)?),
        model: fingerprint::of_file(&location)?,
    })
}

/// The file whose content tells a directory's weights from others: the weights, or the index of their parts.
#[cfg(feature = "model")]
fn weights_file(directory: &Path) -> std::path::PathBuf {
    let whole = directory.join("model.safetensors");
    if whole.is_file() { whole } else { directory.join("model.safetensors.index.json") }
}

/// The program was built without models.
#[cfg(not(feature = "model"))]
pub fn model_context(_path: &Path) -> Result<JudgeContext> {
    Err(meed_operators::Error::usage(
        "this program was built without models",
        "build it with the feature `model`, which is on unless it was turned off",
    ))
}
