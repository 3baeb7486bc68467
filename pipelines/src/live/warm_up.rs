//! Supervised warm-up: the learner imitates given solutions before it is trained by reinforcement.

use crate::tasks::{Demonstration, Said};
use meed_operators::Result;
use meed_operators::objectives::Loss;
use meed_operators::policy::{Learner, TokenBatch, TokenScores};
use meed_operators::random::RandomKey;
use meed_operators::sample::Sampler;
use meed_operators::update::{Cut, minibatches};

/// How to warm up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WarmUp {
    /// Optimiser steps.
    pub steps: usize,
    /// Solutions per step.
    pub batch: usize,
    /// Highest learning rate; it falls to a tenth of that along a cosine.
    pub learning_rate: f64,
    /// Seed of the order of solutions.
    pub seed: u64,
}

/// Minimises the mean negative log-likelihood per token of what the policy says in the solutions. Returns
/// the loss of every step. The sampler says how turns end.
///
/// # Errors
/// Solutions that the tokenizer cannot write; failures of the learner.
pub fn warm_up(
    learner: &mut dyn Learner,
    sampler: &Sampler,
    solutions: &[Demonstration],
    settings: &WarmUp,
) -> Result<Vec<f64>> {
    let encoded: Vec<Encoded> =
        solutions.iter().map(|solution| Encoded::new(solution, sampler)).collect::<Result<_>>()?;
    let mut losses = Vec::with_capacity(settings.steps);
    let mut rest: Vec<Vec<usize>> = Vec::new();
    let mut passes = 0;
    for step in 0..settings.steps {
        if rest.is_empty() {
            let key = RandomKey::new(settings.seed, passes, "warm-up", "");
            rest = minibatches(&vec![1; encoded.len()], 1, Cut::Tokens(settings.batch), key);
            passes += 1;
        }
        let mut batch = TokenBatch::default();
        for solution in rest.pop().unwrap_or_default() {
            let Encoded { prompt, tokens, mask } = &encoded[solution];
            batch.push(prompt, tokens, mask);
        }
        let done = step as f64 / settings.steps.max(1) as f64;
        let rate = settings.learning_rate * (0.55 + 0.45 * (std::f64::consts::PI * done).cos());
        let loss = |scores: &TokenScores| Ok(negative_log_likelihood(scores, &batch.mask));
        losses.push(learner.step(&batch, 1.0, &loss, rate)?.loss.value);
    }
    Ok(losses)
}

/// A solution as tokens; what the environment says is masked.
struct Encoded {
    prompt: Vec<i32>,
    tokens: Vec<i32>,
    mask: Vec<bool>,
}

impl Encoded {
    /// The end token follows where the solution does not end with the end of a turn, after which it is the
    /// environment that ends the episode.
    fn new(solution: &Demonstration, sampler: &Sampler) -> Result<Self> {
        let tokenizer = sampler.tokenizer.as_ref();
        let turn_end = sampler.environments.as_ref().and_then(|environments| environments.turn_end());
        let mut encoded = Encoded {
            prompt: tokenizer.encode(&solution.prompt.text)?,
            tokens: Vec::new(),
            mask: Vec::new(),
        };
        for said in &solution.said {
            encoded.tokens.extend(tokenizer.encode(&said.text)?);
            encoded.mask.resize(encoded.tokens.len(), said.policy);
        }
        let ends_by_policy =
            |said: &Said| said.policy && turn_end.is_none_or(|end| !said.text.ends_with(end));
        if solution.said.last().is_some_and(ends_by_policy) {
            encoded.tokens.push(tokenizer.end());
            encoded.mask.push(true);
        }
        Ok(encoded)
    }
}

fn negative_log_likelihood(scores: &TokenScores, mask: &[bool]) -> Loss {
    let count = mask.iter().filter(|&&trained| trained).count().max(1) as f64;
    let sum: f64 = scores.logprobs.iter().map(|&logprob| f64::from(logprob)).sum();
    Loss {
        value: -sum / count,
        logprobs: mask.iter().map(|&trained| if trained { -1.0 / count } else { 0.0 }).collect(),
        ..Loss::default()
    }
}
