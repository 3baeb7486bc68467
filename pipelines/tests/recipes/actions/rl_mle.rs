//! RL-MLE: the section's check, equal durations, bounds, and GAE over actions.

use serde_json::{Value, json};

use crate::support::{advantages, close, given, in_loss, list, signal, try_given};

fn actions(durations: [f64; 4]) -> Value {
    let rows = durations.iter().zip([1.0, -0.5, 0.2, 0.0]).map(|(duration, score)| {
        json!({"step_kinds": ["policy"], "step_durations": [duration], "step_scores": [score]})
    });
    rows.collect()
}

fn all(
    given: &meed_pipelines::InMemory,
    of: impl Fn(&meed_pipelines::InMemory, &str) -> Vec<f64>,
) -> Vec<f64> {
    ["r0", "r1", "r2", "r3"].iter().flat_map(|id| of(given, id)).collect()
}

#[test]
fn the_sections_check() {
    let given = given("rl_mle", json!({"values": "none"}), actions([2.0, 10.0, 6.0, 6.0]));
    close(&all(&given, |given, id| signal(given, id, "duration_weights")), &[1.0 / 3.0, 5.0 / 3.0, 1.0, 1.0]);
    close(&all(&given, advantages), &[0.3333333, -0.8333333, 0.2, 0.0]);
}

#[test]
fn equal_durations_weigh_nothing() {
    let equal = given("rl_mle", json!({"values": "none"}), actions([7.0; 4]));
    let without = json!({"values": "none", "duration_weights": false});
    let unweighted = given("rl_mle", without, actions([1.0, 2.0, 3.0, 4.0]));
    close(&all(&equal, advantages), &all(&unweighted, advantages));
    close(&all(&equal, advantages), &[1.0, -0.5, 0.2, 0.0]);
}

#[test]
fn durations_have_bounds() {
    let settings = json!({"values": "none", "shortest": 1, "longest": 8});
    let given = given("rl_mle", settings, actions([0.0, 100.0, 3.0, 4.0]));
    close(&all(&given, |given, id| signal(given, id, "duration_weights")), &[0.25, 2.0, 0.75, 1.0]);
}

#[test]
fn milestones_are_partial_credit() {
    let row = |score: Value, reached: usize, lower: bool| {
        json!({
            "step_kinds": ["policy"], "step_durations": [1.0], "step_scores": [score],
            "step_milestones": [reached], "lower_is_better": lower,
        })
    };
    let rows = json!([
        row(Value::Null, 0, false),
        row(Value::Null, 4, false),
        row(json!(0.83), 7, false),
        row(json!(0.41), 7, true)
    ]);
    let rewards = |partial: &str| {
        let given = given("rl_mle", json!({"values": "none", "partial_credit": partial}), rows.clone());
        all(&given, |given, id| signal(given, id, "rewards"))
    };
    close(&rewards("additive"), &[-10.0, -9.6, 0.83, -0.41]);
    close(&rewards("instead"), &[-10.0, 0.4, 0.83, -0.41]);
    close(&rewards("none"), &[-10.0, -10.0, 0.83, -0.41]);
}

#[test]
fn advantages_are_those_of_actions() {
    let rows = json!([{
        "step_kinds": ["policy", "environment", "policy"], "step_ends": [2, 3, 5],
        "token_mask": [true, true, false, true, true],
        "step_durations": [3.0, null, 1.0], "step_scores": [0.0, null, 1.0], "step_values": [0.4, null, 0.6],
    }]);
    let given = given("rl_mle", json!({"lam": 0.5, "gamma": 0.9}), rows);
    let second = 0.4;
    let first = 0.9 * 0.6 - 0.4 + 0.45 * second;
    close(&advantages(&given, "r0"), &[1.5 * first, 1.5 * first, 0.0, 0.5 * second, 0.5 * second]);
    close(&list(&given, "r0", "token_returns"), &[first + 0.4, first + 0.4, 0.0, 1.0, 1.0]);
}

#[test]
fn an_action_without_a_duration_is_not_trained_on() {
    let mut rows = actions([1.0; 4]);
    rows[1]["step_durations"] = json!([null]);
    let given = given("rl_mle", json!({"values": "none"}), rows);
    assert!(!in_loss(&given, "r1") && in_loss(&given, "r0"));
    let error = try_given("rl_mle", json!({}), actions([1.0; 4])).err().unwrap();
    assert!(error.hint().contains("critic"), "{error}: {}", error.hint());
}
