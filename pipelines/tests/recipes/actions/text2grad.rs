//! Text2Grad: the section's check, PPO's GAE without words, masks and missing critiques.

use serde_json::{Value, json};

use crate::support::{advantages, close, given, in_loss, list, signal, try_given};

#[test]
fn the_sections_check() {
    let rows = json!([{
        "token_texts": ["some", "good", "words", "are", "bad", "<|eot_id|>"],
        "token_mask": [true, true, true, true, true, false],
        "word_texts": ["some", "Good", "words", "are", "bad"],
        "word_scores": [0, 1, 1, 0, -1],
        "token_values": [0.1, 0.2, 0.1, 0.0, -0.1, 5.0],
        "token_old_logprobs": [0.01, 0.0, 0.02, 0.01, 0.0, 0.0],
        "token_ref_logprobs": [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    }]);
    let given = given("text2grad", json!({}), rows);
    let rewards = [-0.002, 0.9999546, 0.9959546, -0.002, -0.9999546, 0.0];
    close(&signal(&given, "r0", "token_rewards"), &rewards);
    close(&signal(&given, "r0", "gae")[..5], &[0.9410850, 0.8874579, -0.0131544, -0.9569569, -0.8999546]);
    let whitened = [1.0299492, 0.9717716, -0.0052614, -1.0291493, -0.9673101, 0.0];
    close(&advantages(&given, "r0"), &whitened);
}

#[test]
fn scores_fade_at_the_limit() {
    let tokens: Vec<String> = (0..60).map(|token| format!("w{token}")).chain(["end".into()]).collect();
    let rows = json!([{
        "token_texts": tokens, "token_mask": vec![true; 61], "token_values": vec![0.0; 61],
        "word_texts": tokens[..60], "word_scores": vec![1.0; 60],
    }]);
    let weights = signal(&given("text2grad", json!({"kl_coef": 0}), rows), "r0", "token_length_weights");
    close(&[weights[0], weights[59]], &[0.9999546, 0.0024726]);
}

/// Without words, and with or without environment tokens.
fn silent(hole: bool) -> Value {
    json!([
        {
            "reward": 0.0, "token_texts": ["a", "b", "c", "d"], "word_texts": [], "word_scores": [],
            "token_mask": [true, !hole, true, true],
            "token_values": [0.3, 0.1, -0.4, 0.2],
            "token_old_logprobs": [-0.1, -0.7, -0.3, -0.2], "token_ref_logprobs": [-0.4, -0.2, -0.1, -0.9],
        },
        {
            "reward": 0.0, "token_texts": ["a", "b"], "word_texts": ["a"], "word_scores": [0.0],
            "token_mask": [true, true],
            "token_values": [0.5, 0.1],
            "token_old_logprobs": [-0.6, -0.7], "token_ref_logprobs": [-0.4, -0.5],
        },
    ])
}

#[test]
fn without_words_it_is_gae_on_the_divergence() {
    let words = given("text2grad", json!({}), silent(false));
    let settings = json!({
        "kl_in_reward": {"coef": 0.2, "kind": "k1"}, "whiten": "batch_tokens", "whiten_eps_var": 1e-8,
    });
    let plain = given("gae", settings, silent(false));
    for rollout in ["r0", "r1"] {
        close(&advantages(&words, rollout), &advantages(&plain, rollout));
        close(&list(&words, rollout, "token_returns"), &list(&plain, rollout, "token_returns"));
    }
}

#[test]
fn neither_value_nor_advantage_passes_the_environment() {
    let given = given("text2grad", json!({"kl_coef": 0}), silent(true));
    close(&[signal(&given, "r0", "gae")[0]], &[-0.3]);
}

#[test]
fn whitened_rewards_keep_their_mean() {
    let rows = json!([{
        "token_texts": ["a", "b", "c"], "word_texts": ["a", "b"], "word_scores": [1, 0],
        "token_values": [0.0, 0.0, 0.0],
    }]);
    let settings =
        json!({"kl_coef": 0, "whiten_rewards": true, "length_weight": false, "lam": 0, "gamma": 0});
    let deviation = (1.0f64 / 3.0 + 1e-8).sqrt();
    let shifted = |x: f64| (x - 1.0 / 3.0) / deviation + 1.0 / 3.0;
    close(
        &signal(&given("text2grad", settings, rows), "r0", "gae"),
        &[shifted(1.0), shifted(0.0), shifted(0.0)],
    );
}

#[test]
fn a_critique_that_cannot_be_read_is_not_trained_on() {
    let mut rows = silent(false);
    rows[0]["word_texts"] = Value::Null;
    rows[0]["word_scores"] = Value::Null;
    let given = given("text2grad", json!({}), rows);
    assert!(!in_loss(&given, "r0") && in_loss(&given, "r1"));
    let rows = json!([{"token_texts": ["a"], "token_values": [0.0]}]);
    let error = try_given("text2grad", json!({"kl_coef": 0}), rows).err().unwrap();
    assert!(error.hint().contains("critique"), "{error}: {}", error.hint());
}
