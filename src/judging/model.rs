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

    use crate::train::tokenizer_beside;

    let weights = load::model(path)?;
    Ok(JudgeContext {
        policy: Some(Arc::new(LocalPolicy::new(&weights, 0)?)),
        tokenizer: Some(tokenizer_beside(path)?),
        model: fingerprint_of_model(path)?,
    })
}

/// What tells a model from any other: the content of its weights, all parts of them, its configuration and
/// its tokenizer.
#[cfg(feature = "model")]
fn fingerprint_of_model(path: &Path) -> Result<String> {
    use meed_connectors::Location;

    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        files = meed_operators::model::load::files(path)?;
        let beside = ["config.json", "tokenizer.json"].map(|name| path.join(name));
        files.extend(beside.into_iter().filter(|file| file.is_file()));
    }
    let hash = |file: &std::path::PathBuf| {
        crate::fingerprint::of_file(&Location::parse(&file.display().to_string())?)
    };
    Ok(files.iter().map(hash).collect::<Result<Vec<_>>>()?.join(" "))
}

/// The program was built without models.
#[cfg(not(feature = "model"))]
pub fn model_context(_path: &Path) -> Result<JudgeContext> {
    Err(meed_operators::Error::usage(
        "this program was built without models",
        "build it with the feature `model`, which is on unless it was turned off",
    ))
}
