//! From the name of a model to a learner and its tokenizer.

use std::sync::Arc;

use meed_operators::Result;
use meed_operators::policy::{Learner, Tokenizer};

use super::Train;

/// A learner at its initial weights, with the tokenizer that its tokens are written in.
pub(super) struct Model {
    pub(super) learner: Box<dyn Learner>,
    pub(super) tokenizer: Arc<dyn Tokenizer>,
}

impl Train {
    /// The model that was asked for, with a value head where the recipe reads values.
    pub(super) fn build_model(&self, value_head: bool) -> Result<Model> {
        Err(meed_operators::Error::usage(format!("{value_head}"), ""))
    }
}
