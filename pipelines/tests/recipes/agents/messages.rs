//! C3.

use serde_json::{Value, json};

use super::by_agents;
use crate::support::{advantages, close, given};

/// A replay that sends one message at context `h`.
fn replay(message: &str, reward: f64) -> Value {
    by_agents(reward, &["a"], json!({"step_states": ["h"], "step_actions": [message]}))
}

fn all(got: &meed_pipelines::InMemory, count: usize) -> Vec<f64> {
    (0..count).flat_map(|i| advantages(got, &format!("r{i}"))).collect()
}

/// The numeric check of the section.
#[test]
fn four_messages() {
    let rollouts = json!([replay("m0", 0.8), replay("m1", 0.4), replay("m2", 0.6), replay("m3", 0.2)]);
    let got = given("c3", json!({}), rollouts.clone());
    close(&all(&got, 4), &[0.4, -0.1333333333, 0.1333333333, -0.4]);
    // Where every message was replayed once, both weights are the same, and leave-one-out is RLOO.
    close(&all(&given("c3", json!({"weights": "messages"}), rollouts.clone()), 4), &all(&got, 4));
    close(&all(&given("rloo", json!({}), rollouts.clone()), 4), &all(&got, 4));
    let mean = given("c3", json!({"baseline": "mean"}), rollouts);
    close(&all(&mean, 4), &[0.3, -0.1, 0.1, -0.3]);
}

/// `b_j = (sum w v - w_j v_j) / (sum w - w_j)` with replay counts 2, 1, 1.
#[test]
fn replays_weigh_in_the_baseline() {
    let rollouts = json!([replay("m0", 1.0), replay("m0", 0.0), replay("m1", 1.0), replay("m2", 0.0)]);
    let got = given("c3", json!({}), rollouts.clone());
    close(&all(&got, 4), &[0.0, 0.0, 1.0 - 1.0 / 3.0, -2.0 / 3.0]);
    let equal = given("c3", json!({"weights": "messages"}), rollouts.clone());
    close(&all(&equal, 4), &[0.0, 0.0, 0.75, -0.75]);
    let mean = given("c3", json!({"weights": "messages", "baseline": "mean"}), rollouts);
    close(&all(&mean, 4), &[0.0, 0.0, 0.5, -0.5]);
}

#[test]
fn a_critic_in_the_baseline() {
    let with = |mut rollout: Value, value: f64| {
        rollout["step_q_values"] = json!([value]);
        rollout
    };
    let rollouts = json!([with(replay("m0", 1.0), 0.75), with(replay("m1", 0.0), 0.25)]);
    let got = given("c3", json!({"value_share": 1}), rollouts.clone());
    close(&all(&got, 2), &[1.0 - 0.25, -0.75]);
    let half = given("c3", json!({"value_share": 0.5}), rollouts);
    close(&all(&half, 2), &[1.0 - 0.125, -0.875]);
}

#[test]
fn one_message_has_no_alternative() {
    let got = given("c3", json!({}), json!([replay("m0", 1.0), replay("m0", 0.0)]));
    assert_eq!(all(&got, 2), [0.0, 0.0]);
}
