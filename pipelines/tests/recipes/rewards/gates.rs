//! SearchLLM and CaRR: rewards behind gates.

use serde_json::{Value, json};

use super::of_all;
use crate::support::{advantages, close, given, in_loss, signal};

#[test]
fn searchllm_has_the_numbers_of_its_section() {
    let row = |gates: [f64; 3]| json!({"gate_scores": gates, "objective_scores": [0.8, 0.5], "objective_weights": [2.0, 1.0]});
    let given = given("searchllm", json!({}), json!([row([1.0, 0.9, 1.0]), row([1.0, 0.0, 1.0])]));
    close(&of_all(&given, "gate", 2), &[0.9658433, 0.2147301]);
    close(&of_all(&given, "utility", 2), &[0.7, 0.7]);
    close(&of_all(&given, "rewards", 2), &[0.6760903, 0.1503111]);
    let unit = 0.5f64.sqrt();
    assert!((advantages(&given, "r0")[0] - unit).abs() < 1e-5);
    assert!((advantages(&given, "r1")[0] + unit).abs() < 1e-5);
}

#[test]
fn searchllm_with_all_bottom_lines_met_is_the_utility() {
    let rollouts = json!([
        {"gate_scores": [1.0, 1.0], "objective_scores": [0.25, 0.75, 0.8]},
        {"gate_scores": [], "objective_scores": [0.3]},
    ]);
    close(&of_all(&given("searchllm", json!({}), rollouts), "rewards", 2), &[0.6, 0.3]);
}

#[test]
fn searchllm_at_its_edges() {
    let rollouts = json!([
        {"gate_scores": [0.0, 0.0], "objective_scores": [1.0]},
        {"gate_scores": [1.0], "objective_scores": []},
        {"gate_scores": [1.0, null], "objective_scores": [1.0]},
        {"gate_scores": [1.0, 1.0], "objective_scores": [null, 1.0]},
    ]);
    let given = given("searchllm", json!({}), rollouts);
    close(&of_all(&given, "rewards", 4), &[0.01 / 1.01, 1.0, f64::NAN, f64::NAN]);
    let trained: Vec<bool> = ["r0", "r1", "r2", "r3"].map(|rollout| in_loss(&given, rollout)).into();
    assert_eq!(trained, [true, true, false, false]);
}

/// A rollout of which the first `met` of `all` rubrics are supported, all of the answer itself.
fn cited(outcome: f64, met: usize, all: usize) -> Value {
    json!({
        "reward": outcome,
        "has_citations": true,
        "entity_ids": ["E0"],
        "entity_identified": [true],
        "rubric_mention_entities": vec![["E0"]; all],
        "rubric_supported": (0..all).map(|rubric| rubric < met).collect::<Vec<_>>(),
    })
}

#[test]
fn carr_has_the_numbers_of_its_section() {
    let group = [cited(1.0, 2, 4), cited(1.0, 4, 4), cited(0.0, 1, 4), cited(1.0, 3, 4)];
    let result = given("carr", json!({}), json!(group));
    close(&of_all(&result, "rubric_rewards", 4), &[0.5, 1.0, 0.25, 0.75]);
    close(&of_all(&result, "rewards", 4), &[0.85, 1.0, 0.0, 0.925]);
    let wanted = [0.3349142, 0.6564318, -1.4870189, 0.4956730];
    for (rollout, wanted) in ["r0", "r1", "r2", "r3"].into_iter().zip(wanted) {
        close(&advantages(&result, rollout), &[wanted]);
    }
    let group = json!([cited(1.0, 2, 5), cited(1.0, 4, 5), cited(0.0, 1, 5), cited(1.0, 3, 5)]);
    let released = given("carr", json!({}), group.clone());
    close(&of_all(&released, "rewards", 4), &[0.82, 0.94, 0.0, 0.88]);
    let paper = given("carr", json!({"positive_rubric": "normalised"}), group);
    close(&of_all(&paper, "rewards", 4), &[0.85, 1.0, 0.0, 0.925]);
}

#[test]
fn carr_without_rubric_weight_is_the_outcome() {
    let group = json!([cited(1.0, 2, 4), cited(0.0, 4, 4), cited(1.0, 0, 4)]);
    for only_positive in [true, false] {
        let settings = json!({"rubric_weight": 0.0, "only_positive": only_positive});
        close(&of_all(&given("carr", settings, group.clone()), "rewards", 3), &[1.0, 0.0, 1.0]);
    }
}

#[test]
fn carr_counts_rubrics_that_are_chained_to_the_answer() {
    let row = |supported: Value, identified: Value| {
        json!({
            "reward": 1.0,
            "has_citations": true,
            "entity_ids": ["E0", "E1", "E2"],
            "entity_identified": identified,
            "rubric_mention_entities": [["E0", "E1"], ["E1", "E2"], ["E2"], ["E2", "E7"]],
            "rubric_supported": supported,
        })
    };
    let known = json!([true, true, true]);
    let rollouts = json!([
        row(json!([true, true, true, true]), known.clone()),
        row(json!([true, false, true, true]), known.clone()),
        row(json!([true, true, true, null]), known.clone()),
        row(json!([null, true, true, true]), known),
        row(json!([null, null, true, null]), json!([false, false, true])),
        row(json!([true, true, true, true]), json!([true, true, null])),
    ]);
    let chained = given("carr", json!({}), rollouts.clone());
    // E7 is not listed, so that the last rubric is never identified; a null that matters leaves no reward.
    close(&of_all(&chained, "rubric_rewards", 6), &[0.75, 0.25, 0.75, f64::NAN, 0.0, f64::NAN]);
    let trained: Vec<bool> = (0..6).map(|number| in_loss(&chained, &format!("r{number}"))).collect();
    assert_eq!(trained, [true, true, true, false, true, false]);
    let all = given("carr", json!({"connected": false}), rollouts);
    close(&of_all(&all, "rubric_rewards", 6), &[0.75, 0.5, 0.75, f64::NAN, 0.25, f64::NAN]);
    close(&signal(&all, "r1", "rewards"), &[0.85]);
}

#[test]
fn carr_without_rubrics_or_citations_has_rubric_reward_0() {
    let mut bare = cited(1.0, 3, 3);
    bare["has_citations"] = json!(false);
    let none = cited(1.0, 0, 0);
    let given = given("carr", json!({"only_positive": false}), json!([bare, none]));
    close(&of_all(&given, "rubric_rewards", 2), &[0.0, 0.0]);
    // A group whose rubric rewards are all 0 is not divided.
    close(&of_all(&given, "rewards", 2), &[0.7, 0.7]);
}
