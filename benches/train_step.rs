//! The meed side of train_step.sh: training passes over 256 sequences of 48 tokens, timed. A pass is
//! forward, loss, backward and the gradient's norm, without an optimiser.
//!
//! `train_step write <folder>` writes the model and the tokens for the peer;
//! `train_step time <threads> <steps>` prints the loss and the gradient's norm, and then the seconds of each
//! step after two steps of warm-up.

#![allow(clippy::print_stdout, clippy::expect_used, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use meed_operators::Result;
use meed_operators::model::config::ModelConfig;
use meed_operators::model::weights::Weights;
use meed_operators::model::{LearnerOptions, LocalLearner};
use meed_operators::objectives::Loss;
use meed_operators::policy::{Learner, TokenBatch, TokenScores};
use meed_operators::random::RandomKey;
use meed_operators::update::{Optimizer, StateTensor, Weight};

const SEQUENCES: usize = 256;
const TOKENS: usize = 48;
const VOCABULARY: usize = 97;

/// No optimiser: a step is the forward pass, the loss, the backward pass and the gradient's norm.
struct Still;

impl Optimizer for Still {
    fn step(&mut self, _: &mut [Weight<'_>], _: f64) -> Result<()> {
        Ok(())
    }

    fn state(&self) -> BTreeMap<String, StateTensor> {
        BTreeMap::new()
    }

    fn restore(&mut self, _: BTreeMap<String, StateTensor>) -> Result<()> {
        Ok(())
    }
}

/// Sequences of 49 tokens: the first 48 enter the network, and the last 48 are predicted.
fn sequences() -> Vec<Vec<i32>> {
    let mut state = 7u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % (VOCABULARY as u64 - 1)) as i32 + 1
    };
    // The first token differs from the sequence before, so that no prompt is shared.
    (0..SEQUENCES)
        .map(|i| {
            let mut tokens: Vec<i32> = (0..=TOKENS).map(|_| draw()).collect();
            tokens[0] = (i % 2) as i32;
            tokens
        })
        .collect()
}

fn likelihood(scores: &TokenScores) -> Result<Loss> {
    let count = scores.logprobs.len() as f64;
    let value = -scores.logprobs.iter().map(|x| f64::from(*x)).sum::<f64>() / count;
    Ok(Loss { value, logprobs: vec![-1.0 / count; scores.logprobs.len()], ..Loss::default() })
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let weights = Weights::new(
        &ModelConfig::named("small", VOCABULARY).expect("a known model"),
        RandomKey::new(7, 0, "", ""),
    )
    .expect("fresh weights");
    let sequences = sequences();
    if arguments[0] == "write" {
        let folder = Path::new(&arguments[1]);
        weights.save(&folder.join("model.safetensors")).expect("writing the weights");
        let config = weights.config().to_json().to_string();
        std::fs::write(folder.join("config.json"), config).expect("writing the configuration");
        let tokens: Vec<String> = sequences.iter().map(|tokens| format!("{tokens:?}")).collect();
        std::fs::write(folder.join("tokens.json"), format!("[{}]", tokens.join(","))).expect("writing");
        return;
    }
    let threads = arguments[1].parse().expect("a number of threads");
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().expect("one pool");
    let steps: usize = arguments[2].parse().expect("a number of steps");
    let mut batch = TokenBatch::default();
    for tokens in &sequences {
        batch.push(&tokens[..1], &tokens[1..], &[true; TOKENS]);
    }
    let options = LearnerOptions { max_grad_norm: None, ..LearnerOptions::default() };
    let mut learner = LocalLearner::new(weights, Box::new(Still), options).expect("a learner");
    for step in 0..steps + 2 {
        let begin = Instant::now();
        let report = learner.step(&batch, 1.0, &likelihood, 0.0).expect("a step");
        let seconds = begin.elapsed().as_secs_f64();
        match step {
            0 => println!("{} {}", report.loss.value, report.grad_norm),
            1 => {}
            _ => println!("{seconds}"),
        }
    }
}
