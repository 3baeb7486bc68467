//! WebSTAR: the section's check, and everything kept below all values.

use serde_json::{Value, json};

use crate::support::{advantages, close, given, list, try_given};

fn steps(scores: Value, reward: f64) -> Value {
    let kinds = ["policy"; 5];
    json!([{
        "reward": reward, "step_kinds": kinds, "step_ends": [1, 2, 3, 4, 6],
        "token_mask": [true, true, true, true, true, true], "step_scores": scores,
    }])
}

#[test]
fn the_sections_check() {
    let given = given("webstar", json!({}), steps(json!([8, 5, 6, 3, 9]), 0.0));
    close(&list(&given, "r0", "token_weights"), &[1.0, 0.0, 1.0, 0.0, 1.0, 1.0]);
    close(&advantages(&given, "r0"), &[1.0; 6]);
}

#[test]
fn a_threshold_below_all_keeps_everything() {
    let all = given("webstar", json!({"threshold": -1}), steps(json!([8, 0, 6, 3, 9]), 0.0));
    close(&list(&all, "r0", "token_weights"), &[1.0; 6]);
    let unread = given("webstar", json!({"threshold": -1}), steps(json!([8, null, 6, 3, 9]), 0.0));
    close(&list(&unread, "r0", "token_weights")[..3], &[1.0, 0.0, 1.0]);
}

#[test]
fn whole_trajectories_by_their_success() {
    let weights = |reward| {
        let rows = steps(json!([8, 5, 6, 3, 9]), reward);
        list(&given("webstar", json!({"filter": "trajectories"}), rows), "r0", "token_weights")
    };
    close(&weights(1.0), &[1.0; 6]);
    close(&weights(0.0), &[0.0; 6]);
    let error = try_given("webstar", json!({}), json!([{"step_kinds": ["policy"]}])).err().unwrap();
    assert!(error.hint().contains("judge that sees the task"), "{error}: {}", error.hint());
}
