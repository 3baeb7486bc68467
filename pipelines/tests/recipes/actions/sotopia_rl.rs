//! Sotopia-RL: the section's check and the variants that no golden case has.

use serde_json::{Value, json};

use crate::support::{advantages, close, given, in_loss, signal, try_given};

fn conversation() -> Value {
    json!([{
        "step_kinds": ["policy", "environment", "policy", "environment", "policy"],
        "dimension_ids": ["goal", "relationship", "knowledge"],
        "dimension_scores": [9.0, 3.0, 4.0],
        "step_dimension_attributions": [[3, 2, 0], null, [1, -1, 2], null, [0, 3, 1]],
        "step_goal_progress": [2.0, null, 7.0, null, 6.0],
    }])
}

fn rewards(settings: Value) -> Vec<f64> {
    let given = given("sotopia_rl", settings, conversation());
    let all = signal(&given, "r0", "step_rewards");
    vec![all[0], all[2], all[4]]
}

#[test]
fn the_sections_check() {
    close(&rewards(json!({"dimensions": 3})), &[3.6666667, 1.5555556, 1.4444444]);
    close(&rewards(json!({"dimension": "relationship"})), &[2.0, -1.0, 3.0]);
    close(&rewards(json!({"dimension": "knowledge"})), &[0.0, 2.6666667, 1.3333333]);
}

#[test]
fn the_other_variants() {
    close(&rewards(json!({"variant": "normalised"})), &[6.75, 2.25, 0.0]);
    // A failed attribution has no share.
    close(&rewards(json!({"variant": "normalised", "dimension": "relationship"})), &[1.2, 0.0, 1.8]);
    close(&rewards(json!({"variant": "discounted"})), &[7.29, 8.1, 9.0]);
    close(&rewards(json!({"variant": "progress"})), &[1.8, 4.5, -0.9]);
    close(&rewards(json!({"variant": "uniform"})), &[9.0, 9.0, 9.0]);
    assert!(try_given("sotopia_rl", json!({"variant": "fair"}), conversation()).is_err());
}

#[test]
fn utterances_are_compared_with_those_of_their_turn() {
    let row = |first: f64, second: Option<f64>| {
        let steps = if second.is_some() { 3 } else { 1 };
        let cells = [json!([first]), Value::Null, json!([second])];
        let kinds = ["policy", "environment", "policy"];
        json!({
            "step_kinds": &kinds[..steps],
            "dimension_ids": ["goal"], "dimension_scores": [3.0],
            "step_dimension_attributions": &cells[..steps],
        })
    };
    let rows = json!([row(3.0, Some(1.0)), row(1.0, Some(1.0)), row(2.0, None)]);
    let given = given("sotopia_rl", json!({"dimension": "goal", "scale": "none"}), rows);
    close(&advantages(&given, "r0"), &[1.0, 0.0, 0.0]);
    close(&advantages(&given, "r1"), &[-1.0, 0.0, 0.0]);
    close(&advantages(&given, "r2"), &[0.0]);
}

#[test]
fn a_conversation_without_scores_is_not_trained_on() {
    let mut rows = json!([conversation()[0], conversation()[0]]);
    rows[0]["dimension_scores"] = Value::Null;
    let given = given("sotopia_rl", json!({}), rows);
    assert!(!in_loss(&given, "r0") && in_loss(&given, "r1"));
    let error = try_given("sotopia_rl", json!({}), json!([{"step_kinds": ["policy"]}])).err().unwrap();
    assert!(error.hint().contains("judge"), "{error}: {}", error.hint());
}
