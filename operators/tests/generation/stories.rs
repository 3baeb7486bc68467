//! The trained model of `../shared/data/stories260K.bin` against an independent reading of its file.

use std::path::PathBuf;

use meed_operators::model::{LearnerOptions, LocalLearner, LocalPolicy, load};
use meed_operators::objectives::Loss;
use meed_operators::policy::{Continuation, Learner, Policy, Sampling, TokenBatch, TokenScores};
use meed_operators::random::RandomKey;
use meed_operators::update::{AdamW, AdamWOptions};

use crate::plain::{Plain, PlainLayer, softmax};

fn path() -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/stories260K.bin");
    if path.exists() {
        return Some(path);
    }
    eprintln!("../shared/data/stories260K.bin is absent: the trained model is not tested");
    None
}

/// The file by its own layout, with rotations of neighbouring elements.
fn plain(bytes: &[u8]) -> Plain {
    let int = |i: usize| i32::from_le_bytes(bytes[4 * i..4 * i + 4].try_into().unwrap()) as usize;
    let [hidden, feed_forward, layers, heads, key_value_heads, vocabulary] = [0, 1, 2, 3, 4, 5].map(int);
    let head_dim = hidden / heads;
    let width = head_dim * key_value_heads;
    let mut at = 28;
    let mut take = |count: usize| -> Vec<f64> {
        let values = bytes[at..at + 4 * count]
            .chunks(4)
            .map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap())))
            .collect();
        at += 4 * count;
        values
    };
    let embedding = take(vocabulary * hidden);
    let mut list: Vec<PlainLayer> = (0..layers).map(|_| PlainLayer::default()).collect();
    list.iter_mut().for_each(|layer| layer.attention_norm = take(hidden));
    list.iter_mut().for_each(|layer| layer.query = take(hidden * hidden));
    list.iter_mut().for_each(|layer| layer.key = take(width * hidden));
    list.iter_mut().for_each(|layer| layer.value = take(width * hidden));
    list.iter_mut().for_each(|layer| layer.attention_output = take(hidden * hidden));
    list.iter_mut().for_each(|layer| layer.feed_forward_norm = take(hidden));
    list.iter_mut().for_each(|layer| layer.gate = take(feed_forward * hidden));
    list.iter_mut().for_each(|layer| layer.down = take(hidden * feed_forward));
    list.iter_mut().for_each(|layer| layer.up = take(feed_forward * hidden));
    Plain {
        hidden,
        heads,
        key_value_heads,
        head_dim,
        theta: 10_000.0,
        eps: 1e-5,
        interleaved: true,
        output: embedding.clone(),
        embedding,
        layers: list,
        norm: take(hidden),
        value_head: None,
    }
}

fn ask(context: &[i32], seed: u64, max_tokens: usize) -> Continuation {
    let key = RandomKey::new(seed, 0, "stories", "");
    Continuation { context: context.to_vec(), key, position: 0, max_tokens }
}

#[test]
fn every_logit_is_that_of_plain_loops() {
    let Some(path) = path() else { return };
    let policy = LocalPolicy::new(&load::model(&path).unwrap(), 0).unwrap();
    let plain = plain(&std::fs::read(&path).unwrap());
    let tokens: Vec<i32> = std::iter::once(1).chain((0..47).map(|i| (i * 131 + 7) % 512)).collect();
    let expected: Vec<Vec<f64>> = plain.forward(&tokens).into_iter().map(|(logits, _)| logits).collect();
    // The logits themselves are not part of the interface; the log-probabilities of all tokens at a
    // position are, and differ from them by one number.
    for position in [0, 1, 20, 46] {
        let mut batch = TokenBatch::default();
        for token in 0..512 {
            batch.push(&tokens[..=position], &[token], &[true]);
        }
        let scores = policy.score(&batch, 1.0).unwrap();
        for token in 0..512 {
            let (logprob, entropy) = softmax(&expected[position], token, 1.0);
            let got = f64::from(scores.logprobs[token as usize]);
            assert!((got - logprob).abs() < 1e-4, "position {position}, token {token}: {got} {logprob}");
            assert!((f64::from(scores.entropies[token as usize]) - entropy).abs() < 1e-4);
        }
    }
}

#[test]
fn greedy_tokens_are_those_of_plain_loops() {
    let Some(path) = path() else { return };
    let policy = LocalPolicy::new(&load::llama2c(&path).unwrap(), 0).unwrap();
    let plain = plain(&std::fs::read(&path).unwrap());
    let sampling = Sampling { temperature: 0.0, ..Sampling::default() };
    let contexts: [&[i32]; 3] = [&[1], &[1, 403, 407], &[1, 403, 407, 261, 378]];
    let asks: Vec<Continuation> = contexts.iter().map(|context| ask(context, 0, 40)).collect();
    for (context, generated) in contexts.iter().zip(policy.generate(&asks, &sampling).unwrap()) {
        assert_eq!(generated.tokens, plain.greedy(context, 40));
        assert!(!generated.stopped);
    }
}

#[test]
fn sampled_logprobs_are_recomputed() {
    let Some(path) = path() else { return };
    let policy = LocalPolicy::new(&load::model(&path).unwrap(), 0).unwrap();
    let plain = plain(&std::fs::read(&path).unwrap());
    let sampling = Sampling { temperature: 0.8, stop_tokens: vec![1, 2], ..Sampling::default() };
    let asks: Vec<Continuation> =
        (0..6).map(|seed| ask(&[1, 403, 407][..1 + seed % 3], seed as u64, 30)).collect();
    let generated = policy.generate(&asks, &sampling).unwrap();
    let mut batch = TokenBatch::default();
    for (ask, generated) in asks.iter().zip(&generated) {
        assert!(!generated.tokens.is_empty());
        batch.push(&ask.context, &generated.tokens, &vec![true; generated.tokens.len()]);
    }
    let scores = policy.score(&batch, 0.8).unwrap();
    let sampled: Vec<f32> = generated.iter().flat_map(|generated| generated.logprobs.clone()).collect();
    let entropies: Vec<f32> = generated.iter().flat_map(|generated| generated.entropies.clone()).collect();
    assert_eq!(scores.logprobs, sampled);
    assert_eq!(scores.entropies, entropies);
    assert_eq!(scores.values, None);
    for (ask, generated) in asks.iter().zip(&generated) {
        let expected = plain.forward(&[&ask.context[..], &generated.tokens].concat());
        for (i, (token, logprob)) in generated.tokens.iter().zip(&generated.logprobs).enumerate() {
            let (want, _) = softmax(&expected[ask.context.len() - 1 + i].0, *token, 0.8);
            assert!((f64::from(*logprob) - want).abs() < 1e-4, "{logprob} {want}");
        }
    }
}

/// Sampled continuations get advantages of 1 and -1 in turn; one update on them must raise the likelihood
/// of the first and lower that of the others.
#[test]
fn one_update_moves_log_probabilities_in_the_direction_of_the_advantages() {
    let Some(path) = path() else { return };
    let weights = load::model(&path).unwrap();
    let optimizer = Box::new(AdamW::new(AdamWOptions::default()));
    let mut learner = LocalLearner::new(weights, optimizer, LearnerOptions::default()).unwrap();
    let policy = learner.policy().unwrap();
    let asked: Vec<Continuation> = (0..8)
        .map(|number| Continuation {
            context: vec![1, 403, 407, 261],
            key: RandomKey::new(number, 0, "stories", "update"),
            position: 0,
            max_tokens: 24,
        })
        .collect();
    let sampled = policy.generate(&asked, &Sampling::default()).unwrap();
    let mut batch = TokenBatch::default();
    let mut advantages = Vec::new();
    for (number, (asked, sampled)) in asked.iter().zip(&sampled).enumerate() {
        batch.push(&asked.context, &sampled.tokens, &vec![true; sampled.tokens.len()]);
        advantages.extend(vec![if number % 2 == 0 { 1.0 } else { -1.0 }; sampled.tokens.len()]);
    }
    let before = learner.score(&batch, 1.0).unwrap().logprobs;
    let as_sampled: Vec<f32> = sampled.iter().flat_map(|sampled| sampled.logprobs.clone()).collect();
    for (sampled, recomputed) in as_sampled.iter().zip(&before) {
        assert!((sampled - recomputed).abs() < 1e-4, "{sampled} {recomputed}");
    }
    let count = advantages.len() as f64;
    let policy_gradient = |scores: &TokenScores| {
        let terms = advantages.iter().zip(&scores.logprobs).map(|(advantage, x)| -advantage * f64::from(*x));
        let logprobs = advantages.iter().map(|advantage| -advantage / count).collect();
        Ok(Loss { value: terms.sum::<f64>() / count, logprobs, ..Loss::default() })
    };
    learner.step(&batch, 1.0, &policy_gradient, 1e-4).unwrap();
    let after = learner.score(&batch, 1.0).unwrap().logprobs;
    for number in 0..asked.len() {
        let range = batch.offsets[number]..batch.offsets[number + 1];
        let change: f32 = range.map(|token| after[token] - before[token]).sum();
        let wanted = if number % 2 == 0 { 1.0 } else { -1.0 };
        assert!(change * wanted > 0.0, "rollout {number} moved by {change}");
    }
}
