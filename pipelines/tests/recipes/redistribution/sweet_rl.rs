//! SWEET-RL.

use serde_json::{Value, json};

use crate::support::{close, given, signal};

/// One turn of two tokens, whose log-ratios under the critic are `ratio` and 0.
fn candidate(state: &str, ratio: f64) -> Value {
    json!({
        "token_mask": [true, true], "step_ends": [2], "step_states": [state],
        "token_critic_logprobs": [ratio - 1.0, -1.0], "token_critic_ref_logprobs": [-1.0, -1.0],
    })
}

#[test]
fn the_best_half_is_chosen_and_the_worst_rejected() {
    let ratios = [0.5, -0.25, 1.0, 0.0, 0.25];
    let mut candidates: Vec<Value> = ratios.iter().map(|ratio| candidate("h", *ratio)).collect();
    candidates.push(candidate("other", 9.0));
    let got = given("sweet_rl", json!({}), candidates.into());
    let of = |name: &str| -> Vec<f64> { (0..6).flat_map(|i| signal(&got, &format!("r{i}"), name)).collect() };
    close(&of("step_critic_advantages"), &[0.25, -0.125, 0.5, 0.0, 0.125, 4.5]);
    close(&of("step_chosen"), &[1.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
    close(&of("step_rejected"), &[0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    assert!(got.rows.is_none());
}
