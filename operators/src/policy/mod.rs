//! What sample, judge and update ask of a language model, wherever it runs: the traits of the policy
//! that generates and scores tokens, of the learner that changes it, and of the tokenizer.

mod tokens;

pub use tokens::{Characters, Tokenizer};

use std::path::Path;
use std::sync::Arc;

use crate::objectives::Loss;
use crate::random::RandomKey;
use crate::{Error, Result};

/// A place from which tokens are asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Continuation {
    /// All tokens so far: the prompt, and whatever policy and environment have said since.
    pub context: Vec<i32>,
    /// What the draws depend on.
    pub key: RandomKey,
    /// Number of the first new token in its rollout: the position of its draw.
    pub position: u64,
    /// Generate at most so many tokens.
    pub max_tokens: usize,
}

/// The temperature of the softmax for one of sampling: 0 takes the most probable token, and its
/// log-probabilities are those at 1.
///
/// # Errors
/// A temperature that is negative or no number.
pub fn softmax_temperature(temperature: f64) -> Result<f64> {
    match temperature {
        0.0 => Ok(1.0),
        temperature if temperature > 0.0 && temperature.is_finite() => Ok(temperature),
        _ => Err(Error::usage(format!("a temperature of {temperature}"), "use 0 or more")),
    }
}

/// How tokens are drawn. Log-probabilities are those of the softmax at this temperature over the
/// whole vocabulary, before top-k and top-p, so that a learner can recompute them.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// Divides the logits; 0 takes the most probable token, with log-probabilities at temperature 1.
    pub temperature: f64,
    /// Draw from the most probable tokens that together have at least this probability; 1 is all.
    pub top_p: f64,
    /// Draw from so many most probable tokens; `None` is all.
    pub top_k: Option<usize>,
    /// Generation ends with any of these tokens, which is part of the response.
    pub stop_tokens: Vec<i32>,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling { temperature: 1.0, top_p: 1.0, top_k: None, stop_tokens: Vec::new() }
    }
}

/// Tokens that a policy generated.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Generated {
    /// The new tokens, the stop token included.
    pub tokens: Vec<i32>,
    /// Their log-probabilities as sampled.
    pub logprobs: Vec<f32>,
    /// Entropy (nats) of the distribution that each was drawn from.
    pub entropies: Vec<f32>,
    /// False where the limit ended it.
    pub stopped: bool,
}

/// Token sequences in ragged layout: rollout `i` has the prompt `prompts[prompt_offsets[i]..]` and the
/// tokens `tokens[offsets[i]..offsets[i + 1]]` after it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenBatch {
    /// One more than there are rollouts.
    pub prompt_offsets: Vec<usize>,
    /// Token ids of the prompts.
    pub prompts: Vec<i32>,
    /// One more than there are rollouts.
    pub offsets: Vec<usize>,
    /// Token ids after the prompts: policy and environment.
    pub tokens: Vec<i32>,
    /// Per token: whether its log-probability is wanted. The others are reported as 0 and get no gradient.
    pub mask: Vec<bool>,
}

impl TokenBatch {
    /// Number of rollouts.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// True where there is no rollout.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a rollout.
    pub fn push(&mut self, prompt: &[i32], tokens: &[i32], mask: &[bool]) {
        if self.offsets.is_empty() {
            self.offsets.push(0);
            self.prompt_offsets.push(0);
        }
        self.prompts.extend_from_slice(prompt);
        self.tokens.extend_from_slice(tokens);
        self.mask.extend_from_slice(mask);
        self.prompt_offsets.push(self.prompts.len());
        self.offsets.push(self.tokens.len());
    }

    /// The prompt of a rollout.
    pub fn prompt(&self, rollout: usize) -> &[i32] {
        &self.prompts[self.prompt_offsets[rollout]..self.prompt_offsets[rollout + 1]]
    }

    /// The tokens of a rollout after its prompt.
    pub fn response(&self, rollout: usize) -> &[i32] {
        &self.tokens[self.offsets[rollout]..self.offsets[rollout + 1]]
    }
}

/// What a model says of given tokens; every list has one value per token of the batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenScores {
    /// Log-probability of the token given what precedes it; 0 where the mask is false.
    pub logprobs: Vec<f32>,
    /// Entropy (nats) of the distribution at the token; 0 where the mask is false.
    pub entropies: Vec<f32>,
    /// Value estimate before the token, where the model has a value head.
    pub values: Option<Vec<f32>>,
}

/// A model that generates and scores tokens, at one version of its weights.
pub trait Policy: Send + Sync {
    /// Version of the weights: the number of updates that made them.
    fn version(&self) -> i64;

    /// Continues every context. Results do not depend on which continuations are asked together:
    /// the same bits for each, alone or in any batch. Common prefixes are computed once.
    ///
    /// # Errors
    /// Tokens outside the vocabulary, contexts longer than the model can hold, and failures of the
    /// model's device or service.
    fn generate(&self, continuations: &[Continuation], sampling: &Sampling) -> Result<Vec<Generated>>;

    /// Log-probabilities and entropies of given tokens, with logits divided by `temperature`.
    ///
    /// # Errors
    /// As [`Policy::generate`].
    fn score(&self, batch: &TokenBatch, temperature: f64) -> Result<TokenScores>;
}

/// What one optimiser step did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepReport {
    /// The loss and its parts, at the weights before the step.
    pub loss: Loss,
    /// Mean entropy of the trained tokens.
    pub entropy: f64,
    /// Norm of the gradient before it was clipped.
    pub grad_norm: f64,
    /// Tokens that went through the network, prompts counted once where they are shared.
    pub tokens: u64,
}

/// A function from what the model says now to the loss and its gradient with respect to
/// log-probabilities (and entropies, values).
pub type LossFunction<'a> = dyn Fn(&TokenScores) -> Result<Loss> + 'a;

/// A model that can be changed by gradients, with its optimiser.
pub trait Learner: Send {
    /// Version of the weights: how often [`Learner::publish`] was called since the initial weights.
    fn version(&self) -> i64;

    /// The current weights as a policy that later steps do not change.
    fn policy(&self) -> Result<Arc<dyn Policy>>;

    /// Log-probabilities, entropies and values under the current weights.
    fn score(&self, batch: &TokenBatch, temperature: f64) -> Result<TokenScores>;

    /// One optimiser step on the loss of a batch: forward, loss, one backward pass, clipping, update.
    /// Large batches are cut into micro-batches by tokens; the gradient does not depend on the cut.
    ///
    /// # Errors
    /// As [`Policy::generate`]; a loss or gradient that is not finite, in which case nothing is changed.
    fn step(
        &mut self,
        batch: &TokenBatch,
        temperature: f64,
        loss: &LossFunction<'_>,
        learning_rate: f64,
    ) -> Result<StepReport>;

    /// Ends the update of an epoch: the version grows by one.
    fn publish(&mut self);

    /// Writes weights, optimiser state and version into a directory.
    fn save(&self, directory: &Path) -> Result<()>;

    /// Continues from a directory that [`Learner::save`] wrote: the same bits as if it had never stopped.
    fn load(&mut self, directory: &Path) -> Result<()>;

    /// Writes the weights alone, adapters merged, in a form that other programs read.
    ///
    /// # Errors
    /// A directory that cannot be written.
    fn export(&self, directory: &Path) -> Result<()>;

    /// The policy of a saved directory, without touching the learner: for restarts with staleness.
    fn saved_policy(&self, directory: &Path) -> Result<Arc<dyn Policy>>;
}
