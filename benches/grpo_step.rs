//! The meed side of grpo_step.sh: steps of GRPO, 32 prompts x 8 rollouts x 16 new tokens, timed.
//!
//! `grpo_step write <folder>` writes the model and its vocabulary for the peer;
//! `grpo_step time <threads> <steps>` prints the number of generated tokens per step, and then the seconds
//! of each step after two steps of warm-up. A step generates, scores the reward, computes the advantages,
//! and makes one update with AdamW and clipping.

#![allow(clippy::print_stdout, clippy::expect_used, clippy::unwrap_used)]

use std::path::Path;
use std::time::Instant;

use meed_operators::Result;
use meed_operators::model::config::ModelConfig;
use meed_operators::model::weights::Weights;
use meed_operators::model::{LearnerOptions, LocalLearner};
use meed_operators::objectives::Loss;
use meed_operators::policy::{
    Characters, Continuation, Learner, LossFunction, Sampling, TokenBatch, TokenScores, Tokenizer,
};
use meed_operators::random::RandomKey;
use meed_operators::update::{AdamW, AdamWOptions};

const PROMPTS: usize = 32;
const ROLLOUTS: usize = 8;
const NEW_TOKENS: usize = 16;
const LEARNING_RATE: f64 = 1e-4;

fn weights() -> Weights {
    let config = ModelConfig::named("small", Characters.vocabulary_size()).expect("a known model");
    Weights::new(&config, RandomKey::new(7, 0, "", "")).expect("fresh weights")
}

/// Sums of two numbers of two digits, other ones in every step.
fn prompts(step: usize) -> Vec<Vec<i32>> {
    let sum = |i: usize| {
        let number = step * PROMPTS + i;
        format!("{}+{}=", 10 + (number * 37) % 90, 10 + (number * 53) % 90)
    };
    (0..PROMPTS).map(|i| Characters.encode(&sum(i)).expect("printable")).collect()
}

/// The share of digits among the new tokens: cheap, and different from rollout to rollout.
fn reward(tokens: &[i32]) -> f64 {
    let text = Characters.decode(tokens).expect("known tokens");
    text.bytes().filter(u8::is_ascii_digit).count() as f64 / NEW_TOKENS as f64
}

/// GRPO: `(r - mean) / (std + 1e-4)` in each group, the standard deviation with `n - 1`, as TRL.
fn advantages(rewards: &[f64]) -> Vec<f64> {
    let normalized = |group: &[f64]| {
        let count = group.len() as f64;
        let mean = group.iter().sum::<f64>() / count;
        let deviation = (group.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt();
        group.iter().map(move |r| (r - mean) / (deviation + 1e-4)).collect::<Vec<_>>()
    };
    rewards.chunks(ROLLOUTS).flat_map(normalized).collect()
}

/// The policy gradient of the first update of a batch, where every ratio is 1: the mean over all tokens.
fn loss(scores: &TokenScores, batch: &TokenBatch, advantages: &[f64]) -> Result<Loss> {
    let count = scores.logprobs.len() as f64;
    let mut logprobs = vec![0.0; scores.logprobs.len()];
    for (rollout, advantage) in advantages.iter().enumerate() {
        logprobs[batch.offsets[rollout]..batch.offsets[rollout + 1]].fill(-advantage / count);
    }
    Ok(Loss { value: logprobs.iter().sum(), logprobs, ..Loss::default() })
}

/// One step; the number of generated tokens.
fn step(learner: &mut LocalLearner, number: usize) -> Result<usize> {
    let policy = learner.policy()?;
    let mut asked = Vec::new();
    for (group, context) in prompts(number).into_iter().enumerate() {
        for rollout in 0..ROLLOUTS {
            let key = RandomKey::new(7, number as u64, &group.to_string(), &rollout.to_string());
            let context = context.clone();
            asked.push(Continuation { context, key, position: 0, max_tokens: NEW_TOKENS });
        }
    }
    let sampling = Sampling { stop_tokens: vec![Characters.end()], ..Sampling::default() };
    let generated = policy.generate(&asked, &sampling)?;
    let mut batch = TokenBatch::default();
    for (ask, answer) in asked.iter().zip(&generated) {
        batch.push(&ask.context, &answer.tokens, &vec![true; answer.tokens.len()]);
    }
    let rewards: Vec<f64> = generated.iter().map(|answer| reward(&answer.tokens)).collect();
    let advantages = advantages(&rewards);
    let of = |scores: &TokenScores| loss(scores, &batch, &advantages);
    let of: &LossFunction<'_> = &of;
    learner.step(&batch, 1.0, of, LEARNING_RATE)?;
    learner.publish();
    Ok(batch.tokens.len())
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments[0] == "write" {
        let folder = Path::new(&arguments[1]);
        let weights = weights();
        weights.save(&folder.join("model.safetensors")).expect("writing the weights");
        let config = weights.config().to_json().to_string();
        std::fs::write(folder.join("config.json"), config).expect("writing the configuration");
        return;
    }
    let threads = arguments[1].parse().expect("a number of threads");
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().expect("one pool");
    let steps: usize = arguments[2].parse().expect("a number of steps");
    let optimizer = Box::new(AdamW::new(AdamWOptions::default()));
    let mut learner = LocalLearner::new(weights(), optimizer, LearnerOptions::default()).expect("a learner");
    for number in 0..steps + 2 {
        let begin = Instant::now();
        let tokens = step(&mut learner, number).expect("a step");
        let seconds = begin.elapsed().as_secs_f64();
        match number {
            0 => println!("{tokens} generated tokens"),
            1 => {}
            _ => println!("{seconds}"),
        }
    }
}
