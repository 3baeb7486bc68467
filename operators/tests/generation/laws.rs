//! Generation gives each continuation the same bits in any batch, on any number of threads, in one call
//! or several; limits and stop tokens end it; nonsense is an error.

use meed_operators::model::LocalPolicy;
use meed_operators::model::config::ModelConfig;
use meed_operators::policy::{Continuation, Generated, Policy, Sampling, TokenBatch};
use meed_operators::random::RandomKey;

use crate::variants::{configurations, random_weights};

fn ask(context: Vec<i32>, name: &str, max_tokens: usize) -> Continuation {
    Continuation { context, key: RandomKey::new(11, 2, "g", name), position: 0, max_tokens }
}

/// Contexts with common prefixes of all lengths, some of them the same.
fn asks(count: usize) -> Vec<Continuation> {
    let long: Vec<i32> = (0..60).map(|i| (i * 7 + i * i) % 37).collect();
    (0..count)
        .map(|i| {
            let mut context = long[..1 + (i * 13) % 50].to_vec();
            if i % 3 == 0 {
                context.push((i % 5) as i32);
            }
            ask(context, &i.to_string(), 1 + (i * 5) % 24)
        })
        .collect()
}

fn sampling() -> Sampling {
    Sampling { temperature: 0.9, top_p: 0.95, top_k: Some(30), stop_tokens: vec![4] }
}

fn policy(config: &ModelConfig) -> LocalPolicy {
    LocalPolicy::with_retained_bytes(&random_weights(config, 5), 0, 0).unwrap()
}

#[test]
fn the_batch_does_not_matter() {
    for config in configurations() {
        let policy = policy(&config);
        let asks = asks(70);
        let together = policy.generate(&asks, &sampling()).unwrap();
        assert!(together.iter().any(|generated| generated.stopped));
        assert!(together.iter().any(|generated| !generated.stopped));
        for share in [1, 2, 7, 64] {
            let apart: Vec<Generated> =
                asks.chunks(share).flat_map(|asks| policy.generate(asks, &sampling()).unwrap()).collect();
            assert_eq!(apart, together, "{share} at a time");
        }
        let backwards: Vec<Continuation> = asks.iter().rev().cloned().collect();
        let mut turned = policy.generate(&backwards, &sampling()).unwrap();
        turned.reverse();
        assert_eq!(turned, together);
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let policy = policy(&ModelConfig::named("128x2x4x256", 97).unwrap());
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| policy.generate(&asks(90), &sampling()).unwrap())
    };
    let one = run(1);
    assert_eq!(run(2), one);
    assert_eq!(run(5), one);
}

#[test]
fn turns_continue_what_is_kept() {
    for config in configurations() {
        let weights = random_weights(&config, 6);
        let block = 4 * config.layers * config.key_value_heads * 16 * (config.head_dim + 32);
        // Nothing kept, hardly anything, everything.
        let policies = [0, 9 * block, 1 << 24]
            .map(|bytes| LocalPolicy::with_retained_bytes(&weights, 0, bytes).unwrap());
        let mut contexts: Vec<Vec<i32>> = (0..8).map(|i| vec![1, 2, 3, i / 4, i / 2]).collect();
        for turn in 0..5 {
            let asks: Vec<Continuation> = contexts
                .iter()
                .enumerate()
                .map(|(i, context)| Continuation {
                    position: 100 * turn,
                    ..ask(context.clone(), &i.to_string(), 9)
                })
                .collect();
            let [none, few, all] =
                [0, 1, 2].map(|which| policies[which].generate(&asks, &sampling()).unwrap());
            assert_eq!(none, few);
            assert_eq!(none, all);
            for (context, generated) in contexts.iter_mut().zip(&none) {
                context.extend(&generated.tokens);
                context.extend((0..turn as i32 * 3).map(|i| 30 - i));
            }
        }
    }
}

#[test]
fn scores_are_those_of_the_sampling() {
    for config in configurations() {
        let policy = policy(&config);
        let asks = asks(40);
        let sampling = Sampling { temperature: 1.4, ..Sampling::default() };
        let generated = policy.generate(&asks, &sampling).unwrap();
        let mut batch = TokenBatch::default();
        for (ask, generated) in asks.iter().zip(&generated) {
            batch.push(&ask.context, &generated.tokens, &vec![true; generated.tokens.len()]);
        }
        let scores = policy.score(&batch, 1.4).unwrap();
        let logprobs: Vec<f32> = generated.iter().flat_map(|generated| generated.logprobs.clone()).collect();
        let entropies: Vec<f32> =
            generated.iter().flat_map(|generated| generated.entropies.clone()).collect();
        assert_eq!(scores.logprobs, logprobs);
        assert_eq!(scores.entropies, entropies);
    }
}

#[test]
fn a_continuation_can_be_cut_anywhere() {
    let policy = policy(&configurations()[1]);
    let sampling = Sampling { temperature: 1.0, ..Sampling::default() };
    let whole = &policy.generate(&[ask(vec![1, 2, 3], "r", 20)], &sampling).unwrap()[0];
    for cut in [1, 7, 16, 19] {
        let mut rest = ask([&[1, 2, 3], &whole.tokens[..cut]].concat(), "r", 20 - cut);
        rest.position = cut as u64;
        let rest = &policy.generate(&[rest], &sampling).unwrap()[0];
        assert_eq!(rest.tokens, whole.tokens[cut..]);
        assert_eq!(rest.logprobs, whole.logprobs[cut..]);
    }
}

#[test]
fn limits_end_a_continuation() {
    let mut config = configurations()[0].clone();
    config.max_positions = 12;
    let policy = policy(&config);
    let asks = [ask(vec![1; 12], "a", 5), ask(vec![1; 10], "b", 5), ask(vec![1; 3], "c", 0)];
    let generated = policy.generate(&asks, &Sampling::default()).unwrap();
    assert_eq!(generated.iter().map(|generated| generated.tokens.len()).collect::<Vec<_>>(), [0, 2, 0]);
    assert_eq!(policy.generate(&[], &Sampling::default()).unwrap(), []);
}

#[test]
fn nonsense_is_an_error() {
    let policy = policy(&configurations()[0]);
    let message = |ask: Continuation| policy.generate(&[ask], &Sampling::default()).unwrap_err().to_string();
    assert!(message(ask(vec![1, 37], "a", 3)).contains("token 37 is outside the vocabulary of 37"));
    assert!(message(ask(vec![-1], "a", 3)).contains("token -1"));
    assert!(message(ask(vec![], "a", 3)).contains("without tokens"));
    assert!(message(ask(vec![1; 3000], "a", 3)).contains("3000 tokens"));
    let hot = Sampling { temperature: -0.5, ..Sampling::default() };
    assert!(policy.generate(&[ask(vec![1], "a", 3)], &hot).is_err());

    let mut batch = TokenBatch::default();
    batch.push(&[], &[1], &[true]);
    assert!(policy.score(&batch, 1.0).unwrap_err().to_string().contains("no prompt"));
    let mut batch = TokenBatch::default();
    batch.push(&[1], &[40], &[true]);
    assert!(policy.score(&batch, 1.0).unwrap_err().to_string().contains("token 40"));
    batch.mask.push(true);
    assert!(policy.score(&batch, 1.0).is_err());

    let weights = random_weights(&configurations()[0], 5);
    weights.parameter("model.norm.weight").unwrap().set(&[f32::NAN; 24]).unwrap();
    let broken = LocalPolicy::new(&weights, 0).unwrap();
    let message = broken.generate(&[ask(vec![1], "a", 3)], &Sampling::default()).unwrap_err().to_string();
    assert!(message.contains("not finite"), "{message}");
}
