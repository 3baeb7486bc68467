//! spae.

use serde_json::{Value, json};

use super::same_as;
use crate::support::{advantages, close, given, signal, try_given};

/// Two rollouts of four steps; the first has the potentials of the section's check and an advantage of 0.5.
fn rollouts() -> Value {
    let tokens = vec![true; 8];
    json!([
        {
            "reward": 1, "token_mask": tokens, "step_ends": [2, 4, 6, 8],
            "step_accuracy": [0.1, 0.5, 0.97, 0.98], "step_confidence": [0.6, 0.7, 0.99, 0.99],
        },
        { "reward": 0, "token_mask": tokens, "step_ends": [], "step_accuracy": [], "step_confidence": [] },
    ])
}

/// The numeric check of the section; a rollout without steps has the group advantage.
#[test]
fn four_steps() {
    let got = given("spae", json!({ "whiten": "none" }), rollouts());
    close(&signal(&got, "r0", "step_potential"), &[-0.46, 0.075, 0.93545, 0.9553]);
    close(&signal(&got, "r0", "step_potential_delta"), &[0.0, 0.535, 0.86045, 0.01985]);
    close(&signal(&got, "r0", "step_saturation"), &[1.0, 1.0, 1.0, 0.68393972]);
    close(&signal(&got, "r0", "step_gain"), &[-0.65095906, 0.21125788, 1.06732277, -0.62762158]);
    let steps = [0.17452047, 0.60562894, 1.03366138, 0.02815907];
    let wanted: Vec<f64> = steps.into_iter().flat_map(|credit| [credit, credit]).collect();
    close(&advantages(&got, "r0"), &wanted);
    close(&advantages(&got, "r1"), &[-0.5; 8]);
}

#[test]
fn the_advantage_is_whitened_over_the_tokens_of_the_batch() {
    let got = given("spae", json!({}), rollouts());
    let tokens = [advantages(&got, "r0"), advantages(&got, "r1")].concat();
    let mean = tokens.iter().sum::<f64>() / 16.0;
    let variance = tokens.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 15.0;
    close(&[mean, variance], &[0.0, 1.0]);
}

#[test]
fn without_potential_it_is_the_whitened_group_advantage() {
    let got = given("spae", json!({ "alpha": 0, "xi": 0 }), rollouts());
    same_as("reinforce_pp_baseline", json!({}), &got, &rollouts());
}

/// Where every gain is the same nothing is gained by one, and the environment's steps have no potential.
#[test]
fn equal_gains_and_environment_steps() {
    let flat: Value = [1, 0]
        .into_iter()
        .map(|reward| {
            json!({
                "reward": reward, "token_mask": [true, false, true], "step_ends": [1, 2, 3],
                "step_kinds": ["generation", "observation", "generation"],
                "step_accuracy": [0.5, null, 0.5], "step_confidence": [0.5, null, 0.5],
            })
        })
        .collect();
    let got = given("spae", json!({ "whiten": "none" }), flat);
    close(&signal(&got, "r0", "step_potential_delta"), &[0.0, f64::NAN, 0.0]);
    close(&advantages(&got, "r0"), &[0.5, 0.0, 0.5]);
}

/// Two completions for an answer of two tokens: one that misses a token, one that ends at once.
#[test]
fn probes_become_accuracy_and_confidence() {
    let even = [0.5f64.ln(), 0.5f64.ln()];
    let rollouts = json!([{
        "reward": 1, "token_mask": [true], "step_ends": [1],
        "step_probe_logprobs": [[[-1.0, null], []]],
        "step_probe_top_logprobs": [[[even, [0.0]], []]],
    }]);
    let got = given("spae", json!({ "missing_logprob": -3 }), rollouts);
    let accuracy = (-4f64).exp() / 2.0 / 2.0;
    let confidence = (-2f64.ln()).exp() / 2.0 / 2.0;
    close(
        &signal(&got, "r0", "step_potential"),
        &[1.5 * accuracy * confidence + 0.5 * accuracy - confidence],
    );
}

#[test]
fn what_is_missing_is_said() {
    let plain = json!([{ "reward": 1, "token_mask": [true], "step_ends": [1] }]);
    let error = try_given("spae", json!({}), plain).err().unwrap();
    assert!(error.to_string().contains("step_probe_logprobs"), "{error}");
    assert!(error.hint().contains("meed judge"), "{}", error.hint());
    let shallow = json!([{
        "reward": 1, "token_mask": [true], "step_ends": [1],
        "step_probe_logprobs": [[0.5]], "step_probe_top_logprobs": [[0.5]],
    }]);
    let error = try_given("spae", json!({}), shallow).err().unwrap();
    assert!(error.to_string().contains("3 lists deep"), "{error}");
}
