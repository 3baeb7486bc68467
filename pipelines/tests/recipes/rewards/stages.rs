//! Unsupervised perceptual rewards: stages of a rollout.

use serde_json::json;

use crate::support::{close, given, signal};

#[test]
fn each_stage_is_paid_at_its_end() {
    let row = json!({
        "token_mask": [true, true, true, true, true, false], "step_ends": [1, 2, 3, 4, 6, 6],
        "step_kinds": ["policy", "policy", "policy", "policy", "policy", "observation"],
        "step_features": [[0.0], [0.1], [5.0], [5.1], [9.0], null],
        "step_perceptual_scores": [0.2, 0.4, 0.5, 0.7, 1.0, null],
    });
    let result = given("unsupervised_perceptual_rewards", json!({}), json!([row]));
    close(&signal(&result, "r0", "step_shaped_rewards")[..5], &[0.0, 0.3, 0.0, 0.6, 1.0]);
    let whole = given("unsupervised_perceptual_rewards", json!({"segments": 1}), json!([row]));
    close(&signal(&whole, "r0", "step_shaped_rewards")[..5], &[0.0, 0.0, 0.0, 0.0, 0.56]);
}

#[test]
fn a_rollout_without_features_has_no_stages_and_earns_nothing_known() {
    let rows = json!([
        { "step_ends": [1, 2], "token_mask": [true, true], "step_features": [[0.0], null], "step_perceptual_scores": [0.2, 0.4] },
        { "step_ends": [1, 2], "token_mask": [true, true], "step_features": [[0.0], [1.0]], "step_perceptual_scores": [null, 0.4] },
    ]);
    let result = given("unsupervised_perceptual_rewards", json!({}), rows);
    close(&signal(&result, "r0", "step_shaped_rewards"), &[f64::NAN; 2]);
    close(&signal(&result, "r1", "step_shaped_rewards"), &[f64::NAN, 0.4]);
}
