//! F-GRPO: candidates and their ranking.

use serde_json::{Value, json};

use crate::support::{advantages, close, given, in_loss, signal, try_given};

fn response(slate: &[&str], ranked: &[&str]) -> Value {
    json!({
        "token_mask": [true, true, true], "phase_ends": [2, 3],
        "slate_ids": slate, "ranked_ids": ranked, "gold_ids": ["a", "b"],
    })
}

fn three() -> Value {
    json!([
        response(&["a", "b", "c"], &["b", "c", "a"]),
        response(&["a", "d"], &["a", "d"]),
        response(&["c", "d"], &["c", "d"]),
    ])
}

#[test]
fn f_grpo_has_the_numbers_of_its_section() {
    let result = given("f_grpo", json!({}), three());
    for (rollout, slate, rank) in [("r0", 1.0, 0.919721), ("r1", 0.5, 0.613147), ("r2", 0.0, 0.0)] {
        close(&signal(&result, rollout, "slate_reward"), &[slate]);
        close(&signal(&result, rollout, "rank_reward"), &[rank]);
    }
    close(&advantages(&result, "r0"), &[0.5, 0.5, 0.408765]);
    close(&advantages(&result, "r1"), &[0.0, 0.0, 0.102191]);
    close(&advantages(&result, "r2"), &[-0.5, -0.5, -0.510956]);
}

#[test]
fn what_is_ranked_must_be_a_candidate_and_counts_once() {
    let rows = json!([
        response(&["a"], &["a", "b"]),
        response(&["a", "b"], &["a", "a", "b"]),
        response(&[], &["a", "b"]),
        response(&["a", "b"], &["c", "d", "e", "f", "g", "a"]),
    ]);
    let result = given("f_grpo", json!({"coverage": "f1"}), rows);
    let ideal = 1.0 + 1.0 / 3f64.log2();
    for (rollout, slate, rank) in
        [("r0", 2.0 / 3.0, 1.0 / ideal), ("r1", 1.0, 1.5 / ideal), ("r2", -1.0, -1.0), ("r3", 1.0, 0.0)]
    {
        close(&signal(&result, rollout, "slate_reward"), &[slate]);
        close(&signal(&result, rollout, "rank_reward"), &[rank]);
    }
}

#[test]
fn a_phase_without_differences_is_silent_while_the_other_trains() {
    let rows = json!([response(&["a", "c"], &["a"]), response(&["a", "c"], &["c"])]);
    let result = given("f_grpo", json!({"lambda": 2.0}), rows);
    let half = 0.5 / (1.0 + 1.0 / 3f64.log2());
    close(&advantages(&result, "r0"), &[0.0, 0.0, 2.0 * half]);
}

#[test]
fn broken_formats_cost_both_phases_and_nothing_is_known_without_relevant_items() {
    let mut rows = three();
    for (row, ok) in [(0, true), (1, false), (2, true)] {
        rows[row]["format_ok"] = json!(ok);
    }
    rows[2]["gold_ids"] = json!([]);
    let result = given("f_grpo", json!({}), rows);
    close(&signal(&result, "r1", "slate_reward"), &[-0.5]);
    close(&signal(&result, "r1", "rank_reward"), &[0.613147 - 1.0]);
    assert!(!in_loss(&result, "r2"));
    let error = try_given("f_grpo", json!({}), json!([{"reward": 1.0}])).err().expect("no phases");
    assert!(error.hint().len() > 10, "{error}");
}

#[test]
fn items_count_once_and_only_with_an_id() {
    let mut twice = response(&["a", "a", "b"], &["a"]);
    twice["gold_ids"] = json!(["a", "a"]);
    let mut unknown = response(&["a", "b"], &["a"]);
    unknown["gold_ids"] = json!(["a", null]);
    let result = given("f_grpo", json!({"coverage": "f1"}), json!([twice, unknown]));
    for rollout in ["r0", "r1"] {
        close(&signal(&result, rollout, "slate_reward"), &[2.0 / 3.0]);
        close(&signal(&result, rollout, "rank_reward"), &[1.0]);
    }
}
