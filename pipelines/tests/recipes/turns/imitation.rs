//! InT and HABC: which steps are imitated, and how much.

use serde_json::{Value, json};

use super::actions;
use crate::support::{advantages, close, given, in_loss, list, signal};

const LOSSES: [f64; 6] = [0.1, 0.2, 0.3, 0.5, 0.9, 1.1];

fn corrected(columns: Value) -> Value {
    let mut row = columns;
    row["step_intervention"] = json!([false, true, false]);
    actions(&[3, 3, 2], row)
}

fn imitation_loss(settings: Value) -> f64 {
    let result = given("int", settings, json!([corrected(json!({}))]));
    close(&advantages(&result, "r0"), &[1.0; 8]);
    let weights = list(&result, "r0", "token_weights");
    close(&weights[6..], &[0.0, 0.0]);
    let total: f64 = weights.iter().sum();
    weights.iter().zip(LOSSES).map(|(weight, loss)| weight * loss).sum::<f64>() / total
}

#[test]
fn int_has_the_numbers_of_its_section() {
    close(&[imitation_loss(json!({}))], &[0.516667]);
    close(&[imitation_loss(json!({"loss_on": "intervention"}))], &[0.833333]);
}

#[test]
fn corrections_that_leak_or_do_not_help_are_not_imitated() {
    let row = |leaks: bool, continued: f64| {
        corrected(
            json!({"intervention_leaks": leaks, "continued_success": continued, "original_success": 0.25}),
        )
    };
    let mut none = row(false, 0.5);
    none["step_intervention"] = json!([false, false, false]);
    let mut unknown = row(false, 0.5);
    unknown["step_intervention"] = json!([false, null, false]);
    let rows = json!([row(false, 0.5), row(true, 0.5), row(false, 0.25), none, unknown]);
    let result = given("int", json!({"filter": true}), rows);
    let weight = |rollout: &str| list(&result, rollout, "token_weights").iter().sum::<f64>();
    close(&["r0", "r1", "r2", "r3"].map(weight), &[6.0, 0.0, 0.0, 0.0]);
    assert!(!in_loss(&result, "r4"));
}

fn transitions(reward: f64, own: bool, states: [[f64; 4]; 2]) -> Value {
    let of = |at: usize| states.map(|state| state[at]);
    let columns = json!({
        "reward": reward,
        "step_viability": of(0), "step_next_viability": of(1),
        "step_efficiency": of(2), "step_next_efficiency": of(3),
        "step_autonomous": [own, own], "step_dones": [false, true],
    });
    actions(&[1, 1], columns)
}

#[test]
fn habc_has_the_numbers_of_its_section() {
    let good = [0.2, 0.8, -5.0, -4.2];
    // A step whose gate is a half: p = 0.5, no change of viability, and the end of the episode.
    let half = [0.0, 0.0, 0.098612, 9.0];
    let rows = json!([
        transitions(1.0, true, [good, half]),
        transitions(0.0, true, [good, half]),
        transitions(0.0, false, [good, half]),
    ]);
    let result = given("habc", json!({}), rows);
    close(&signal(&result, "r0", "step_gates")[..1], &[1.158778]);
    let raw = ["r0", "r1", "r2"].map(|rollout| signal(&result, rollout, "step_raw_weights"));
    close(&raw[1], &[0.0, 0.0]);
    close(&raw[2], &[1.0, 1.0]);
    let mean = (raw[0][0] + raw[0][1] + 2.0) / 4.0;
    close(&raw[0][1..], &[0.5]);
    close(&advantages(&result, "r0"), &[1.158778 / mean, 0.5 / mean]);
    close(&advantages(&result, "r2"), &[1.0 / mean, 1.0 / mean]);
}

#[test]
fn habc_gives_a_batch_of_failures_no_weight() {
    let state = [0.2, 0.8, -5.0, -4.2];
    let rows = json!([transitions(0.0, true, [state, state])]);
    close(&advantages(&given("habc", json!({}), rows), "r0"), &[0.0, 0.0]);
}

#[test]
fn demonstrations_need_no_critics() {
    let good = [0.2, 0.8, -5.0, -4.2];
    let unseen = |own: bool| {
        let mut row = transitions(1.0, own, [good, good]);
        row["step_viability"] = json!([null, null]);
        row
    };
    let rows = json!([transitions(1.0, true, [good, good]), unseen(false), unseen(true)]);
    let result = given("habc", json!({}), rows);
    assert_eq!(["r0", "r1", "r2"].map(|rollout| in_loss(&result, rollout)), [true, true, false]);
    close(&signal(&result, "r1", "step_raw_weights"), &[1.0, 1.0]);
}
