//! Values that were sampled along a rollout, and steps that rollouts share: the checks of their sections.

use serde_json::{Value, json};

use crate::support::{advantages, close, given, in_loss};

fn steps(values: &[Option<f64>], reward: f64) -> Value {
    let ends: Vec<usize> = (1..=values.len()).collect();
    json!({
        "reward": reward, "step_values": values, "step_ends": ends,
        "step_kinds": vec!["policy"; values.len()], "token_mask": vec![true; values.len()],
    })
}

#[test]
fn vineppo_takes_differences_of_values() {
    let rollouts = json!([steps(&[Some(0.5), Some(0.777778), Some(0.333333)], 0.0)]);
    let given = given("vineppo", json!({}), rollouts);
    close(&advantages(&given, "r0"), &[0.277778, -0.444445, -0.333333]);
}

#[test]
fn vineppo_fills_values_at_the_end_with_what_follows() {
    let rollouts = json!([steps(&[Some(0.5), None, None], 1.0), steps(&[Some(0.5), None, Some(0.5)], 1.0)]);
    let given = given("vineppo", json!({}), rollouts);
    close(&advantages(&given, "r0"), &[0.5, 0.0, 0.0]);
    assert!(!in_loss(&given, "r1"), "what is missing in the middle is not made up");
}

fn chain(logprobs: [f64; 6]) -> Value {
    json!([{
        "reward": 1.0, "segment_values": [0.4, 0.6, 0.2], "segment_ends": [2, 4, 6],
        "token_rollout_logprobs": logprobs, "token_mask": [true, true, true, true, true, true],
    }])
}

#[test]
fn spo_of_a_chain() {
    let given = given("spo", json!({}), chain([-1.0; 6]));
    close(&advantages(&given, "r0"), &[0.2, 0.2, -0.4, -0.4, 0.8, 0.8]);
}

#[test]
fn spo_credits_uncertain_tokens_only() {
    let certain = [-0.01, -1.0, -1.0, -0.05, -0.2, 0.0];
    let masked = given("spo", json!({}), chain(certain));
    close(&advantages(&masked, "r0"), &[0.0, 0.2, -0.4, 0.0, 0.8, 0.0]);
    let whole = given("spo", json!({ "probability_below": 1 }), chain(certain));
    close(&advantages(&whole, "r0"), &[0.2, 0.2, -0.4, -0.4, 0.8, 0.8]);
}

fn trajectories(of: [(f64, [&str; 2], [&str; 2]); 4]) -> Value {
    let rollout = |(reward, states, actions): (f64, [&str; 2], [&str; 2])| {
        json!({
            "reward": reward, "step_states": states, "step_actions": actions, "step_ends": [1, 2],
            "step_kinds": ["policy", "policy"], "token_mask": [true, true],
        })
    };
    of.into_iter().map(rollout).collect()
}

fn shared() -> Value {
    trajectories([
        (1.0, ["s0", "s1"], ["x", "y"]),
        (0.0, ["s0", "s1"], ["x", "z"]),
        (1.0, ["s0", "s1"], ["x", "y"]),
        (0.0, ["s0", "s2"], ["w", "y"]),
    ])
}

#[test]
fn salt_shares_the_credit_of_shared_steps() {
    let wanted = [[0.288675, 0.866024], [0.288675, -0.866024], [0.288675, 0.866024], [-0.866024, -0.866024]];
    for history in [Value::Null, json!(0), json!(1)] {
        let given = given("salt", json!({ "history": history }), shared());
        for (at, wanted) in wanted.iter().enumerate() {
            close(&advantages(&given, &format!("r{at}")), wanted);
        }
    }
}

#[test]
fn salt_merges_later_steps_with_little_history() {
    let rollouts = trajectories([
        (1.0, ["s0", "s1"], ["x", "y"]),
        (0.0, ["s0", "s1"], ["w", "y"]),
        (1.0, ["s0", "s3"], ["v", "y"]),
        (0.0, ["s0", "s2"], ["u", "y"]),
    ]);
    let apart = given("salt", json!({}), rollouts.clone());
    close(&advantages(&apart, "r0"), &[0.866024, 0.866024]);
    let merged = given("salt", json!({ "history": 0 }), rollouts);
    close(&advantages(&merged, "r0"), &[0.866024, 0.0]);
}

#[test]
fn salt_without_shared_steps_is_its_estimator() {
    let rollouts = trajectories([
        (1.0, ["s0", "s1"], ["a", "y"]),
        (0.0, ["s0", "s1"], ["b", "y"]),
        (0.5, ["s0", "s1"], ["c", "y"]),
        (0.0, ["s0", "s2"], ["d", "y"]),
    ]);
    for (estimator, other) in [("grpo", "grpo"), ("rloo", "rloo")] {
        let salt = given("salt", json!({ "estimator": estimator }), rollouts.clone());
        let plain = given(other, json!({}), rollouts.clone());
        for id in ["r0", "r1", "r2", "r3"] {
            close(&advantages(&salt, id), &advantages(&plain, id));
        }
    }
}
