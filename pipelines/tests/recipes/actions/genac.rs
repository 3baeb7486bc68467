//! GenAC: the section's check, answers that cannot be read, and the return with lambda 1.

use serde_json::json;

use crate::support::{advantages, close, given, in_loss, list, signal, try_given};

fn segments(answers: serde_json::Value) -> serde_json::Value {
    json!([{
        "reward": 1.0,
        "token_mask": [true, true, true, true, true, true],
        "segment_ends": [2, 4, 6],
        "segment_answers": answers,
    }])
}

#[test]
fn the_sections_check() {
    let with = given("genac", json!({"lam": 0.95}), segments(json!([5, 7, 3])));
    close(&advantages(&with, "r0"), &[0.45175, 0.45175, 0.265, 0.265, 0.7, 0.7]);
    let clipped = given("genac", json!({}), segments(json!([14, 7, -3])));
    close(&signal(&clipped, "r0", "segment_values"), &[1.0, 0.7, 0.0]);
}

#[test]
fn lambda_one_is_the_return_less_the_value() {
    let with = given("genac", json!({"lam": 1}), segments(json!([5, 7, 3])));
    close(&advantages(&with, "r0"), &[0.5, 0.5, 0.3, 0.3, 0.7, 0.7]);
    close(&list(&with, "r0", "token_returns"), &[1.0; 6]);
}

#[test]
fn an_answer_that_cannot_be_read_is_the_one_before() {
    let previous = given("genac", json!({}), segments(json!([null, 7, null])));
    close(&signal(&previous, "r0", "segment_values"), &[0.5, 0.7, 0.7]);
    let unknown = given("genac", json!({"unreadable": "unknown"}), segments(json!([9, null, 4])));
    close(&signal(&unknown, "r0", "segment_values"), &[0.9, 0.5, 0.4]);
}

#[test]
fn segments_of_the_environment_are_no_steps() {
    let rows = json!([
        {
            "reward": 1.0,
            "token_mask": [true, false, true, false],
            "segment_ends": [1, 2, 3, 4],
            "segment_answers": [2, 9, 4, 9],
        },
        {"reward": 1.0, "token_mask": [true, true], "segment_ends": [1], "segment_answers": [2]},
        {"reward": null, "token_mask": [true], "segment_ends": [1], "segment_answers": [2]},
    ]);
    let given = given("genac", json!({"lam": 1}), rows);
    close(&advantages(&given, "r0"), &[0.8, 0.0, 0.6, 0.0]);
    // A trainable token outside every segment has no advantage.
    assert!(!in_loss(&given, "r1") && !in_loss(&given, "r2"));
}

#[test]
fn the_critic_is_named() {
    let error = try_given("genac", json!({}), json!([{"reward": 1.0}])).err().unwrap();
    assert!(error.to_string().contains("segment_answers"), "{error}");
    assert!(error.hint().contains("generative critic"), "{}", error.hint());
}
