//! The baseline of turns that counts rollouts which have ended.

use serde_json::json;

use super::actions;
use crate::support::{advantages, close, given, signal};

/// Whoever takes a second rewarded turn is credited for it, and whoever does not is not.
#[test]
fn another_turn_is_worth_its_reward() {
    let rows = json!([
        actions(&[1], json!({ "step_rewards": [1.0] })),
        actions(&[1], json!({ "step_rewards": [1.0] })),
        actions(&[1, 1], json!({ "step_rewards": [1.0, 1.0] })),
        actions(&[1, 1], json!({ "step_rewards": [1.0, 1.0] })),
    ]);
    let given = given("turn_baseline", json!({}), rows);
    close(&advantages(&given, "r0"), &[-0.5]);
    close(&advantages(&given, "r3"), &[0.5, 0.5]);
    close(&signal(&given, "r0", "sum_of_turn_advantages"), &[-0.5]);
}
