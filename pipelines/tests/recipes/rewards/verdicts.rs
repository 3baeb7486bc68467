//! OpenRubrics and C2: rewards from verdicts.

use serde_json::{Value, json};

use super::of_all;
use crate::support::{advantages, close, given, in_loss, list, signal};

#[test]
fn openrubrics_has_the_numbers_of_its_section() {
    let rollouts = json!([
        {"vote_wins": [true], "vote_swapped_wins": [false]},
        {"vote_wins": [true], "vote_swapped_wins": [true]},
        {"vote_wins": [false], "vote_swapped_wins": [false]},
        {"vote_wins": [true, true, false, true, false], "vote_swapped_wins": [false, null, false, true, null]},
    ]);
    let result = given("openrubrics", json!({}), rollouts);
    close(&of_all(&result, "rewards", 4), &[0.5, 1.0, 0.0, 0.5]);
    close(&signal(&result, "r3", "vote_share"), &[0.6]);
    close(&signal(&result, "r3", "swapped_vote_share"), &[1.0 / 3.0]);
    let advantage = |rollout: &str| advantages(&result, rollout)[0];
    close(&[advantage("r0"), advantage("r1"), advantage("r2")], &[0.0, 0.5, -0.5]);
}

#[test]
fn openrubrics_counts_five_votes_and_halves_ties() {
    let rollouts = json!([
        {"vote_wins": [true, true, false, false, true, false], "vote_swapped_wins": [true, false, null, null, null, null]},
        {"vote_wins": [true, null, null, null, null, null], "vote_swapped_wins": [null, null, null, null, null, true]},
    ]);
    let result = given("openrubrics", json!({"baseline": "none"}), rollouts);
    close(&of_all(&result, "rewards", 2), &[0.75, f64::NAN]);
    assert!(!in_loss(&result, "r1"));
}

#[test]
fn openrubrics_keeps_rubrics_that_lead_to_the_label() {
    let rollouts = json!([
        {"vote_wins": [true], "token_mask": [true, true]},
        {"vote_wins": [false], "token_mask": [true, true]},
        {"vote_wins": [null], "token_mask": [true, true]},
    ]);
    let result = given("openrubrics", json!({"stage": "rubric"}), rollouts);
    for (rollout, kept) in [("r0", 1.0), ("r1", 0.0), ("r2", 0.0)] {
        close(&list(&result, rollout, "token_weights"), &[kept, kept]);
        close(&advantages(&result, rollout), &[1.0, 1.0]);
    }
}

#[test]
fn openrubrics_rewards_judgements_by_label_and_format() {
    let rollouts = json!([
        {"verdict_correct": true, "format_ok": true},
        {"verdict_correct": false, "format_ok": true},
        {"verdict_correct": false, "format_ok": false},
        {"verdict_correct": null, "format_ok": true},
    ]);
    let result = given("openrubrics", json!({"stage": "judge"}), rollouts);
    close(&of_all(&result, "rewards", 4), &[2.0, 1.0, 0.0, f64::NAN]);
    close(&advantages(&result, "r1"), &[0.0]);
    close(&advantages(&result, "r0"), &[1.0 / (1.0 + 1e-6)]);
}

#[test]
fn c2_rewards_verdicts_as_its_section() {
    let rollouts = json!([
        {"preference_correct": true, "rubric_label_correct": true, "format_ok": true},
        {"preference_correct": false, "rubric_label_correct": true, "format_ok": true},
        {"preference_correct": true, "rubric_label_correct": null, "format_ok": true},
        {"preference_correct": null, "rubric_label_correct": true, "format_ok": true},
    ]);
    let result = given("c2", json!({}), rollouts);
    close(&of_all(&result, "rewards", 4), &[1.0, -0.2, 0.7, f64::NAN]);
    assert!(!in_loss(&result, "r3"));
}

/// Candidate rubrics with these margins against a base margin.
fn candidates(base: f64, margins: &[f64]) -> Value {
    let row = |margin: &f64| {
        json!({
            "base_preferred_logprob": -0.5 + base, "base_other_logprob": -0.5,
            "preferred_logprob": margin - 1.0, "other_logprob": -1.0,
        })
    };
    margins.iter().map(row).collect()
}

fn selected(rollouts: Value) -> Vec<f64> {
    let count = rollouts.as_array().unwrap().len();
    let result = given("c2", json!({"stage": "generator"}), rollouts);
    let selected = of_all(&result, "rewards", count);
    for (number, selected) in selected.iter().enumerate().filter(|(_, selected)| !selected.is_nan()) {
        close(&list(&result, &format!("r{number}"), "token_weights"), &[selected.abs()]);
        close(&advantages(&result, &format!("r{number}")), &[*selected]);
    }
    selected
}

#[test]
fn c2_selects_the_best_and_the_worst_rubric() {
    close(&selected(candidates(-0.4, &[0.3, -0.1, -0.9, 0.8, -0.35])), &[0.0, 0.0, -1.0, 1.0, 0.0]);
    // Helpful must beat a base that is right already, misleading be below 0.
    close(&selected(candidates(0.5, &[0.3, 0.6, 0.1, -0.1])), &[0.0, 1.0, 0.0, -1.0]);
    // Of equal margins the first.
    close(&selected(candidates(0.0, &[0.5, 0.5, -0.5, -0.5])), &[1.0, 0.0, -1.0, 0.0]);
}

#[test]
fn c2_selects_nothing_where_one_kind_is_missing() {
    close(&selected(candidates(-0.4, &[0.3, 0.8, -0.4])), &[0.0; 3]);
    close(&selected(candidates(0.0, &[-0.3])), &[0.0]);
}

#[test]
fn c2_takes_a_missing_letter_for_an_impossible_one() {
    let mut rows = candidates(-0.4, &[0.3, 0.8, -0.9, 0.0]);
    rows[0]["other_logprob"] = Value::Null;
    rows[2]["preferred_logprob"] = Value::Null;
    rows[3]["preferred_logprob"] = Value::Null;
    rows[3]["other_logprob"] = Value::Null;
    close(&selected(rows), &[1.0, 0.0, -1.0, f64::NAN]);
}
