//! VeRPO: the section's check, the first version, and the outcome alone.

use serde_json::{Value, json};

use crate::support::{advantages, close, given, in_loss, signal, try_given};

/// The section's two rollouts, and two turns more that bring the pass rates to those of its check.
fn turns(passed: Value, reward: Value) -> Value {
    let count = passed.as_array().unwrap().len();
    let kinds: Vec<&str> = (0..count).flat_map(|_| ["policy", "environment"]).collect();
    let ends: Vec<usize> = (1..=2 * count).collect();
    json!({
        "reward": reward, "step_kinds": kinds, "step_ends": ends, "turn_test_passed": passed,
        "token_mask": (0..2 * count).map(|token| token % 2 == 0).collect::<Vec<_>>(),
    })
}

#[test]
fn weights_of_the_sections_rates() {
    // 20 turns that pass the tests 18, 17 and 4 times.
    let passed: Vec<Value> = (0..20).map(|turn| json!([turn < 18, turn < 17, turn < 4])).collect();
    let given = given("verpo", json!({}), json!([turns(passed.into(), json!(1))]));
    close(&signal(&given, "r0", "test_pass_rates")[..3], &[0.9, 0.85, 0.2]);
    close(&signal(&given, "r0", "test_weights")[..3], &[0.2159735, 0.2270467, 0.8187299]);
}

fn section() -> Value {
    json!([
        turns(json!([[true, true, false]]), json!(0)),
        turns(json!([[true, false, false], [true, true, true]]), json!(1))
    ])
}

#[test]
fn advantages_of_turns_and_outcomes() {
    let given = given("verpo", json!({}), section());
    // Pass rates 1, 2/3 and 1/3.
    let kernel = |distance: f64| (-0.5 * (distance / 0.1f64).powi(2)).exp();
    let rates = [1.0, 2.0 / 3.0, 1.0 / 3.0f64];
    let weight =
        |rate: f64| (-rate).exp() / (rates.iter().map(|other| kernel(rate - other)).sum::<f64>() + 1e-6);
    let [easy, middle, hard] = rates.map(weight);
    let rewards = [easy + middle, easy, easy + middle + hard];
    let mean = rewards.iter().sum::<f64>() / 3.0;
    close(&signal(&given, "r1", "turn_rewards"), &rewards[1..]);
    close(&advantages(&given, "r0"), &[-0.405 + 0.5 * (rewards[0] - mean), 0.0]);
    let turn = |reward: f64| 0.405 + 0.5 * (reward - mean);
    close(&advantages(&given, "r1"), &[turn(rewards[1]), 0.0, turn(rewards[2]), 0.0]);
}

#[test]
fn beta_zero_is_the_discounted_outcome_less_its_mean() {
    let with = given("verpo", json!({"beta": 0}), section());
    close(&advantages(&with, "r1"), &[0.405, 0.0, 0.405, 0.0]);
    let later = given("verpo", json!({"beta": 0, "turns_from": 0}), section());
    close(&advantages(&later, "r1")[..1], &[0.45]);
}

#[test]
fn the_first_version_has_no_density() {
    let given = given("verpo", json!({"density": false, "alpha": 2}), section());
    close(&signal(&given, "r0", "test_weights"), &[-2.0f64, -4.0 / 3.0, -2.0 / 3.0].map(f64::exp));
}

#[test]
fn turns_that_pass_the_same_tests_differ_by_the_outcome_only() {
    let same = json!([turns(json!([[true, false]]), json!(0)), turns(json!([[true, false]]), json!(1))]);
    let given = given("verpo", json!({}), same);
    close(&advantages(&given, "r0"), &[-0.45, 0.0]);
    close(&advantages(&given, "r1"), &[0.45, 0.0]);
}

#[test]
fn missing_results_are_no_failures() {
    let rows = json!([
        turns(json!([[true, null], [true, false]]), json!(0)),
        turns(json!([[false, true]]), json!(1)),
        turns(json!([null]), json!(1)),
    ]);
    let given = given("verpo", json!({}), rows);
    close(&signal(&given, "r0", "test_pass_rates")[..2], &[2.0 / 3.0, 0.5]);
    assert!(in_loss(&given, "r0") && in_loss(&given, "r1") && !in_loss(&given, "r2"));
    let error = try_given("verpo", json!({}), json!([{"reward": 1.0, "step_rewards": [1.0]}])).err().unwrap();
    assert!(error.hint().contains("unit tests"), "{error}: {}", error.hint());
}

#[test]
fn running_pass_rates_count_the_iterations_before() {
    let of_iteration = |iteration: usize, group: &str, passed: Value| {
        let mut row = turns(passed, json!(1));
        row["iteration"] = json!(iteration);
        row["group_id"] = json!(group);
        row["rollout_id"] = json!(format!("{group}{iteration}"));
        row
    };
    let rows = json!([
        of_iteration(0, "g", json!([[true, false], [true, false]])),
        of_iteration(1, "g", json!([[false, true]])),
        of_iteration(1, "h", json!([[false, false]])),
    ]);
    let with = given("verpo", json!({"rates": "running", "density": false}), rows.clone());
    close(&signal(&with, "g0", "test_pass_rates")[..2], &[1.0, 0.0]);
    close(&signal(&with, "g1", "test_pass_rates"), &[2.0 / 3.0, 1.0 / 3.0]);
    close(&signal(&with, "h1", "test_pass_rates"), &[0.0, 0.0]);
    let of_group = given("verpo", json!({"density": false}), rows.clone());
    close(&signal(&of_group, "g1", "test_pass_rates"), &[0.0, 1.0]);
    assert!(try_given("verpo", json!({"rates": "running"}), rows).is_err());
}
