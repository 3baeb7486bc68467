//! A learner in this process: forward, loss, one backward pass, clipping, optimiser.

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::LocalPolicy;
use super::checkpoint;
use super::gradients::Gradients;
use super::ops::with_values;
use super::packing::{Unit, pack};
use super::transformer::{Scored, Transformer};
use super::weights::Weights;
use crate::objectives::Loss;
use crate::policy::{
    Learner, LossFunction, Policy, StepReport, TokenBatch, TokenScores, softmax_temperature,
};
use crate::update::{Optimizer, Weight, clip_global_norm};
use crate::{Error, Result};

/// Sums of gradients that grow side by side, and thereby the most threads that work on units at a time.
const SUMS: usize = 16;
/// Values that all these sums together may hold, in multiples of 4 bytes.
const SUM_VALUES: usize = 1 << 28;

/// How a [`LocalLearner`] works.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearnerOptions {
    /// Gradients are scaled down to this norm; `None` leaves them.
    pub max_grad_norm: Option<f64>,
    /// Packed tokens whose intermediate results may be in memory between the forward and the backward
    /// pass. Larger batches go forward twice: once for the loss of the whole batch, and again unit by unit
    /// before each backward pass. The result has the same bits either way.
    pub tokens_in_memory: usize,
}

impl Default for LearnerOptions {
    fn default() -> Self {
        LearnerOptions { max_grad_norm: Some(1.0), tokens_in_memory: 1 << 14 }
    }
}

/// A model on the CPU with its optimiser.
///
/// ```
/// use meed_operators::model::{LearnerOptions, LocalLearner, config::ModelConfig, weights::Weights};
/// use meed_operators::objectives::Loss;
/// use meed_operators::policy::{Learner, TokenBatch};
/// use meed_operators::random::RandomKey;
/// use meed_operators::update::{AdamW, AdamWOptions};
/// let weights = Weights::new(&ModelConfig::named("16x1x2x32", 11)?, RandomKey::new(7, 0, "", ""))?;
/// let optimizer = Box::new(AdamW::new(AdamWOptions::default()));
/// let mut learner = LocalLearner::new(weights, optimizer, LearnerOptions::default())?;
/// let mut batch = TokenBatch::default();
/// batch.push(&[1, 2], &[3, 4, 0], &[true, true, true]);
/// // Negative log-likelihood: supervised training is a loss function like any other.
/// let likelihood = |scores: &meed_operators::policy::TokenScores| {
///     let value = -scores.logprobs.iter().map(|x| f64::from(*x)).sum::<f64>();
///     Ok(Loss { value, logprobs: vec![-1.0; scores.logprobs.len()], ..Loss::default() })
/// };
/// let first = learner.step(&batch, 1.0, &likelihood, 1e-2)?;
/// let second = learner.step(&batch, 1.0, &likelihood, 1e-2)?;
/// assert!(second.loss.value < first.loss.value);
/// # Ok::<(), meed_operators::Error>(())
/// ```
pub struct LocalLearner {
    weights: Weights,
    transformer: Transformer,
    optimizer: Box<dyn Optimizer>,
    options: LearnerOptions,
    version: i64,
}

impl LocalLearner {
    /// A learner of these weights, at version 0.
    ///
    /// # Errors
    /// Weights that do not fit their configuration.
    pub fn new(weights: Weights, optimizer: Box<dyn Optimizer>, options: LearnerOptions) -> Result<Self> {
        let transformer = Transformer::new(&weights)?;
        Ok(LocalLearner { weights, transformer, optimizer, options, version: 0 })
    }

    /// The weights as they are.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The forward pass under the current weights.
    pub fn transformer(&self) -> &Transformer {
        &self.transformer
    }

    /// The sum of all units' gradients: several sums over consecutive units side by side, added in order.
    fn gradients(
        &self,
        units: &[Unit],
        scored: Vec<Option<Scored>>,
        loss: &Loss,
        temperature: f64,
    ) -> Result<Gradients> {
        let parameters: usize = self.weights.parameters().iter().map(|p| p.tensor().elem_count()).sum();
        let sums = (SUM_VALUES / parameters.max(1)).clamp(1, SUMS);
        let run = units.len().div_ceil(sums).max(1);
        let mut scored = scored;
        let transformer = &self.transformer;
        let parts: Vec<Result<Gradients>> = units
            .par_chunks(run)
            .zip(scored.par_chunks_mut(run))
            .map(|(units, scored)| {
                let mut sum = Gradients::default();
                for (unit, scored) in units.iter().zip(scored) {
                    let scored = match scored.take() {
                        Some(scored) => scored,
                        None => transformer.score(unit, temperature, true)?,
                    };
                    if let Some(kept) = &scored.kept {
                        sum.add_unit(transformer, unit, kept, loss)?;
                    }
                }
                Ok(sum)
            })
            .collect();
        let mut sum = Gradients::default();
        for part in parts {
            sum.add_later(part?);
        }
        Ok(sum)
    }

    /// Clips the gradients and lets the optimiser change the weights. Nothing changes on an error.
    fn update(&mut self, gradients: Gradients, learning_rate: f64) -> Result<f64> {
        let mut named = gradients.by_name(&self.transformer, &self.weights)?;
        let parameters: Vec<_> = self.weights.trainable().cloned().collect();
        let mut values = Vec::with_capacity(parameters.len());
        let mut gradients = Vec::with_capacity(parameters.len());
        for parameter in &parameters {
            let elements = parameter.tensor().elem_count();
            gradients.push(named.remove(parameter.name()).unwrap_or_else(|| vec![0.0; elements]));
            values.push(parameter.values()?);
        }
        let mut slices: Vec<&mut [f32]> = gradients.iter_mut().map(Vec::as_mut_slice).collect();
        let norm = clip_global_norm(&mut slices, self.options.max_grad_norm.unwrap_or(f64::INFINITY))?;
        let mut changes: Vec<Weight<'_>> = parameters
            .iter()
            .zip(values.iter_mut().zip(&gradients))
            .map(|(parameter, (values, gradient))| Weight {
                name: parameter.name(),
                shape: parameter.tensor().dims(),
                values,
                gradient,
            })
            .collect();
        self.optimizer.step(&mut changes, learning_rate)?;
        for (parameter, values) in parameters.iter().zip(&values) {
            parameter.set(values)?;
        }
        self.transformer = Transformer::new(&self.weights)?;
        Ok(norm)
    }
}

/// Scores of units as lists over the batch.
struct Scores {
    scores: TokenScores,
}

impl Scores {
    fn new(batch: &TokenBatch, values: bool) -> Self {
        let zeros = vec![0.0; batch.tokens.len()];
        let values = values.then(|| zeros.clone());
        Scores { scores: TokenScores { logprobs: zeros.clone(), entropies: zeros, values } }
    }

    fn take(&mut self, unit: &Unit, scored: &Scored) -> Result<()> {
        with_values(&scored.scores, |pairs| {
            for (place, pair) in unit.places.iter().zip(pairs.chunks_exact(2)) {
                self.scores.logprobs[*place] = pair[0];
                self.scores.entropies[*place] = pair[1];
            }
            Ok(())
        })?;
        if let (Some(all), Some(values)) = (&mut self.scores.values, &scored.values) {
            with_values(values, |values| {
                all[unit.first..unit.first + values.len()].copy_from_slice(values);
                Ok(())
            })?;
        }
        Ok(())
    }
}

impl Transformer {
    /// Log-probabilities, entropies and values of a batch, without a backward pass.
    ///
    /// # Errors
    /// As [`pack`].
    pub fn score_batch(&self, batch: &TokenBatch, temperature: f64) -> Result<TokenScores> {
        let units = pack(batch, self.config())?;
        Ok(score_units(self, batch, &units, softmax_temperature(temperature)?, false)?.0)
    }
}

/// Scores of all units, and the units' results themselves.
fn score_units(
    model: &Transformer,
    batch: &TokenBatch,
    units: &[Unit],
    temperature: f64,
    keep: bool,
) -> Result<(TokenScores, Vec<Option<Scored>>)> {
    let results: Vec<Result<Scored>> =
        units.par_iter().map(|unit| model.score(unit, temperature, keep)).collect();
    let mut scores = Scores::new(batch, model.config().value_head);
    let mut scored = Vec::with_capacity(units.len());
    for (unit, result) in units.iter().zip(results) {
        let result = result?;
        scores.take(unit, &result)?;
        scored.push(Some(result));
    }
    Ok((scores.scores, scored))
}

/// Refuses a loss that does not fit the batch or is not finite.
fn check(loss: &Loss, tokens: usize) -> Result<()> {
    let lists = [Some(&loss.logprobs), loss.entropies.as_ref(), loss.values.as_ref()];
    for list in lists.into_iter().flatten() {
        if list.len() != tokens {
            return Err(Error::usage(
                format!("the loss has gradients for {} tokens, and the batch has {tokens}", list.len()),
                "an objective gives one value per token of the batch",
            ));
        }
        if let Some(place) = list.iter().position(|x| !x.is_finite()) {
            return Err(not_finite(&format!("the loss's gradient at token {place} is {}", list[place])));
        }
    }
    if !loss.value.is_finite() {
        return Err(not_finite(&format!("the loss is {}", loss.value)));
    }
    Ok(())
}

fn not_finite(message: &str) -> Error {
    Error::usage(message, "lower the learning rate, or look at the advantages and log-probabilities")
}

impl Learner for LocalLearner {
    fn version(&self) -> i64 {
        self.version
    }

    fn policy(&self) -> Result<Arc<dyn Policy>> {
        Ok(Arc::new(LocalPolicy::new(&self.weights, self.version)?))
    }

    fn score(&self, batch: &TokenBatch, temperature: f64) -> Result<TokenScores> {
        self.transformer.score_batch(batch, temperature)
    }

    fn step(
        &mut self,
        batch: &TokenBatch,
        temperature: f64,
        loss: &LossFunction<'_>,
        learning_rate: f64,
    ) -> Result<StepReport> {
        let temperature = softmax_temperature(temperature)?;
        let units = pack(batch, self.transformer.config())?;
        let tokens: usize = units.iter().map(|unit| unit.tokens.len()).sum();
        let keep = tokens <= self.options.tokens_in_memory;
        let (scores, mut scored) = score_units(&self.transformer, batch, &units, temperature, keep)?;
        if !keep {
            scored = units.iter().map(|_| None).collect();
        }
        let loss = loss(&scores)?;
        check(&loss, batch.tokens.len())?;
        if loss.values.is_some() && !self.transformer.config().value_head {
            return Err(Error::usage(
                "the loss has a gradient for values, and the model has no value head",
                "make the model with a value head, or leave the value loss out (value_coef=0)",
            ));
        }
        let gradients = self.gradients(&units, scored, &loss, temperature)?;
        let grad_norm = self.update(gradients, learning_rate)?;
        let wanted = batch.mask.iter().filter(|wanted| **wanted).count();
        let entropy = scores.entropies.iter().map(|x| f64::from(*x)).sum::<f64>() / wanted.max(1) as f64;
        Ok(StepReport { loss, entropy, grad_norm, tokens: tokens as u64 })
    }

    fn publish(&mut self) {
        self.version += 1;
    }

    fn save(&self, directory: &Path) -> Result<()> {
        checkpoint::save(directory, &self.weights, &self.optimizer.state(), self.version)
    }

    fn load(&mut self, directory: &Path) -> Result<()> {
        let saved = checkpoint::read(directory)?;
        let weights = self.weights.snapshot()?;
        weights.load(&saved.weights)?;
        // The optimiser is last to fail, so that on an error nothing has changed.
        let transformer = Transformer::new(&weights)?;
        self.optimizer.restore(saved.optimizer()?)?;
        self.transformer = transformer;
        self.weights = weights;
        self.version = saved.version;
        Ok(())
    }

    fn export(&self, directory: &Path) -> Result<()> {
        super::load::save(&self.weights, directory)
    }

    fn saved_policy(&self, directory: &Path) -> Result<Arc<dyn Policy>> {
        let saved = checkpoint::read(directory)?;
        let weights = self.weights.snapshot()?;
        weights.load(&saved.weights)?;
        Ok(Arc::new(LocalPolicy::new(&weights, saved.version)?))
    }
}
