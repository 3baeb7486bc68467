//! From the name of a model to a learner and its tokenizer.

use std::path::Path;
use std::sync::Arc;

use meed_operators::policy::{Learner, Tokenizer};
use meed_operators::{Error, Result};

use super::Train;

/// A learner at its initial weights, with the tokenizer that its tokens are written in.
pub(super) struct Model {
    pub(super) learner: Box<dyn Learner>,
    pub(super) tokenizer: Arc<dyn Tokenizer>,
}

impl Train {
    /// The model that was asked for, with a value head where the recipe reads values.
    ///
    /// # Errors
    /// A model that does not exist or cannot be read; a program that was built without models.
    #[cfg(feature = "model")]
    pub(super) fn build_model(&self, value_head: bool) -> Result<Model> {
        use meed_operators::model::config::ModelConfig;
        use meed_operators::model::weights::{Lora, Weights};
        use meed_operators::model::{LearnerOptions, LocalLearner, load};
        use meed_operators::policy::Characters;
        use meed_operators::random::RandomKey;
        use meed_operators::update::{AdamW, AdamWOptions, Galore, GaloreOptions, Optimizer};

        let key = RandomKey::new(self.seed, 0, "weights", "");
        let path = Path::new(&self.model);
        let (weights, tokenizer): (Weights, Arc<dyn Tokenizer>) = if path.exists() {
            (load::model(path)?, tokenizer_beside(path)?)
        } else {
            let config = ModelConfig::named(&self.model, Characters.vocabulary_size())?;
            (Weights::new(&config, key)?, Arc::new(Characters))
        };
        let weights = if value_head { weights.with_value_head()? } else { weights };
        let weights = match self.lora {
            // Twice the rank as alpha, on every projection: a usual choice.
            Some(rank) => {
                let targets = PROJECTIONS.map(str::to_owned).to_vec();
                weights.with_lora(Lora { rank, alpha: 2.0 * rank as f64, targets }, key.within("lora"))?
            }
            None => weights,
        };
        let optimizer: Box<dyn Optimizer> = match self.optimizer.as_str() {
            "adamw" => Box::new(AdamW::new(AdamWOptions::default())),
            "galore" => {
                Box::new(Galore::new(GaloreOptions { rank: GALORE_RANK, ..GaloreOptions::default() }))
            }
            other => {
                return Err(Error::usage(
                    format!("there is no optimiser `{other}`"),
                    "optimisers: adamw, galore",
                ));
            }
        };
        let learner = LocalLearner::new(weights, optimizer, LearnerOptions::default())?;
        Ok(Model { learner: Box::new(learner), tokenizer })
    }

    /// The program was built without models.
    #[cfg(not(feature = "model"))]
    pub(super) fn build_model(&self, _value_head: bool) -> Result<Model> {
        Err(Error::usage(
            "this program was built without models",
            "build it with the feature `model`, which is on unless it was turned off",
        ))
    }
}

/// Rank of projected gradients: a quarter of the width of the default model.
#[cfg(feature = "model")]
const GALORE_RANK: usize = 32;

#[cfg(feature = "model")]
const PROJECTIONS: [&str; 7] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

/// The tokenizer in the directory of a model; one token per character where there is none, as meed's own
/// checkpoints have it.
#[cfg(feature = "model")]
pub(crate) fn tokenizer_beside(path: &Path) -> Result<Arc<dyn Tokenizer>> {
    use meed_operators::policy::Characters;

    match path.join("tokenizer.json").is_file() {
        true => Ok(Arc::new(meed_operators::model::tokenizer::HuggingFaceTokenizer::read(path)?)),
        false => Ok(Arc::new(Characters)),
    }
}
