//! A policy whose logits depend on the last token alone, and its learner: everything by hand, in `f64`.

use std::path::Path;
use std::sync::Arc;

use meed_operators::policy::{
    Characters, Continuation, Generated, Learner, LossFunction, Policy, Sampling, StepReport, TokenBatch,
    TokenScores, Tokenizer,
};
use meed_operators::{Error, Result};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// Logits by last token and next token.
#[derive(Clone, Serialize, Deserialize)]
pub struct Bigram {
    logits: Vec<Vec<f64>>,
    momentum: Vec<Vec<f64>>,
    version: i64,
}

impl Bigram {
    pub fn new() -> Self {
        let size = Characters.vocabulary_size();
        let logits =
            (0..size).map(|last| (0..size).map(|next| ((last * 7 + next * 13) % 11) as f64 * 0.1).collect());
        Bigram { logits: logits.collect(), momentum: vec![vec![0.0; size]; size], version: 0 }
    }

    fn logprobs(&self, last: i32, temperature: f64) -> Vec<f64> {
        let temperature = if temperature == 0.0 { 1.0 } else { temperature };
        let logits: Vec<f64> = self.logits[last as usize].iter().map(|logit| logit / temperature).collect();
        let highest = logits.iter().copied().fold(f64::MIN, f64::max);
        let total: f64 = logits.iter().map(|logit| (logit - highest).exp()).sum();
        logits.iter().map(|logit| logit - highest - total.ln()).collect()
    }
}

fn entropy(logprobs: &[f64]) -> f64 {
    -logprobs.iter().map(|logprob| logprob * logprob.exp()).sum::<f64>()
}

/// Calls `visit` with every token of a batch, and the one before it.
fn each(batch: &TokenBatch, mut visit: impl FnMut(usize, i32, i32)) {
    for rollout in 0..batch.len() {
        let mut last = *batch.prompt(rollout).last().unwrap();
        for (index, &token) in batch.response(rollout).iter().enumerate() {
            visit(batch.offsets[rollout] + index, last, token);
            last = token;
        }
    }
}

impl Policy for Bigram {
    fn version(&self) -> i64 {
        self.version
    }

    fn generate(&self, continuations: &[Continuation], sampling: &Sampling) -> Result<Vec<Generated>> {
        let one = |continuation: &Continuation| {
            let mut generated = Generated::default();
            let mut last = *continuation.context.last().unwrap();
            for index in 0..continuation.max_tokens {
                let logprobs = self.logprobs(last, sampling.temperature);
                let mut draw: f64 = continuation.key.at(continuation.position + index as u64).random();
                let token = match sampling.temperature {
                    0.0 => (0..logprobs.len()).max_by(|&a, &b| logprobs[a].total_cmp(&logprobs[b])).unwrap(),
                    _ => logprobs
                        .iter()
                        .position(|logprob| {
                            draw -= logprob.exp();
                            draw < 0.0
                        })
                        .unwrap_or(logprobs.len() - 1),
                };
                generated.tokens.push(token as i32);
                generated.logprobs.push(logprobs[token] as f32);
                generated.entropies.push(entropy(&logprobs) as f32);
                last = token as i32;
                if sampling.stop_tokens.contains(&last) {
                    generated.stopped = true;
                    break;
                }
            }
            generated
        };
        Ok(continuations.iter().map(one).collect())
    }

    fn score(&self, batch: &TokenBatch, temperature: f64) -> Result<TokenScores> {
        let mut scores = TokenScores {
            logprobs: vec![0.0; batch.tokens.len()],
            entropies: vec![0.0; batch.tokens.len()],
            values: None,
        };
        each(batch, |position, last, token| {
            if batch.mask[position] {
                let logprobs = self.logprobs(last, temperature);
                scores.logprobs[position] = logprobs[token as usize] as f32;
                scores.entropies[position] = entropy(&logprobs) as f32;
            }
        });
        Ok(scores)
    }
}

impl Learner for Bigram {
    fn version(&self) -> i64 {
        self.version
    }

    fn policy(&self) -> Result<Arc<dyn Policy>> {
        Ok(Arc::new(self.clone()))
    }

    fn score(&self, batch: &TokenBatch, temperature: f64) -> Result<TokenScores> {
        Policy::score(self, batch, temperature)
    }

    fn step(
        &mut self,
        batch: &TokenBatch,
        temperature: f64,
        loss: &LossFunction<'_>,
        learning_rate: f64,
    ) -> Result<StepReport> {
        let loss = loss(&Policy::score(self, batch, temperature)?)?;
        let size = self.logits.len();
        let mut gradient = vec![vec![0.0; size]; size];
        each(batch, |position, last, token| {
            if batch.mask[position] {
                let logprobs = self.logprobs(last, temperature);
                for (next, logprob) in logprobs.iter().enumerate() {
                    let chosen = f64::from(u8::from(next == token as usize));
                    gradient[last as usize][next] +=
                        loss.logprobs[position] * (chosen - logprob.exp()) / temperature;
                }
            }
        });
        for (last, row) in gradient.iter().enumerate() {
            for (next, derivative) in row.iter().enumerate() {
                let momentum = &mut self.momentum[last][next];
                *momentum = 0.9 * *momentum + derivative;
                self.logits[last][next] -= learning_rate * *momentum;
            }
        }
        let norm = gradient.iter().flatten().map(|derivative| derivative.powi(2)).sum::<f64>().sqrt();
        Ok(StepReport { loss, entropy: 0.0, grad_norm: norm, tokens: batch.tokens.len() as u64 })
    }

    fn publish(&mut self) {
        self.version += 1;
    }

    fn save(&self, directory: &Path) -> Result<()> {
        let failed = |error: std::io::Error| Error::external("saving", error, "");
        let text = serde_json::to_vec(self).map_err(|error| Error::external("saving", error, ""))?;
        std::fs::write(directory.join("bigram.json"), text).map_err(failed)
    }

    fn load(&mut self, directory: &Path) -> Result<()> {
        let text = std::fs::read(directory.join("bigram.json"));
        let text = text.map_err(|error| Error::external("loading", error, ""))?;
        *self = serde_json::from_slice(&text).map_err(|error| Error::external("loading", error, ""))?;
        Ok(())
    }

    fn export(&self, directory: &Path) -> Result<()> {
        self.save(directory)
    }

    fn saved_policy(&self, directory: &Path) -> Result<Arc<dyn Policy>> {
        let mut saved = Bigram::new();
        saved.load(directory)?;
        Ok(Arc::new(saved))
    }
}
