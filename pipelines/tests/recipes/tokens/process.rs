//! spro, prl: log-ratios as process rewards beside the group advantage.

use serde_json::{Value, json};

use crate::support::{advantages, close, given, signal};

fn rollout(reward: f64, log_ratios: &[f64]) -> Value {
    let reference = vec![-1.0; log_ratios.len()];
    let policy: Vec<f64> = log_ratios.iter().map(|ratio| ratio - 1.0).collect();
    json!({
        "reward": reward, "token_mask": vec![true; log_ratios.len()],
        "token_old_logprobs": policy, "token_ref_logprobs": reference,
    })
}

/// The numeric check of the section; what is alone at a position has its outcome only.
#[test]
fn spro_compares_at_the_same_position() {
    let rollouts = json!([rollout(1.0, &[0.2, -0.1, 0.3]), rollout(0.0, &[-0.1, 0.2])]);
    let got = given("spro", json!({}), rollouts.clone());
    close(&signal(&got, "r0", "token_cumulative_rewards"), &[0.01, 0.005, 0.02]);
    close(&signal(&got, "r1", "token_cumulative_rewards"), &[-0.005, 0.005]);
    close(&signal(&got, "r0", "token_masked_step_advantages"), &[0.0075, 0.0, 0.0]);
    close(&signal(&got, "r1", "token_masked_step_advantages"), &[-0.0075, 0.0]);
    let grpo = given("grpo", json!({}), rollouts.clone());
    let outcome = advantages(&grpo, "r0");
    close(&advantages(&got, "r0"), &[outcome[0] + 0.0075, outcome[1], outcome[2]]);
    let none = given("spro", json!({"beta": 0}), rollouts);
    close(&advantages(&none, "r1"), &advantages(&grpo, "r1"));
}

/// The numeric check of the section, with steps of one token.
#[test]
fn prl_takes_off_the_divergence_that_follows() {
    let rollouts = json!([rollout(2.4, &[0.2, -0.1, 0.3, 0.05]), rollout(0.0, &[0.0])]);
    let got = given("prl", json!({"step_tokens": 1, "scale": "none"}), rollouts.clone());
    close(&advantages(&got, "r0"), &[1.19775, 1.19875, 1.19825, 1.19975]);
    // Steps of three tokens: the first has what its third token has, the rest what the last one has.
    let steps = given("prl", json!({"step_tokens": 3, "scale": "none"}), rollouts.clone());
    close(&advantages(&steps, "r0"), &[1.19825, 1.19825, 1.19825, 1.19975]);
    let none = given("prl", json!({"eta": 1e300}), rollouts.clone());
    close(&advantages(&none, "r0"), &advantages(&given("grpo", json!({}), rollouts), "r0"));
}
