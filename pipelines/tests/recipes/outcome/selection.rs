//! b_star: selected samples and their balance.

use serde_json::{Value, json};

use super::missing;
use crate::support::{close, given, list, signal};

/// Samples of a prompt: output, right, least step reward.
fn samples(group: &str, of: &[(&str, f64, f64)]) -> Vec<Value> {
    let sample = |(output, right, least): &(&str, f64, f64)| json!({"group_id": group, "output_id": output, "reward": right, "step_rewards": [0.9, least], "has_answer": true});
    of.iter().map(sample).collect()
}

fn numbered(right: usize, all: usize) -> Vec<Value> {
    let names: Vec<String> = (0..all).map(|name| name.to_string()).collect();
    let of: Vec<(&str, f64, f64)> = names
        .iter()
        .enumerate()
        .map(|(at, name)| (name.as_str(), f64::from(u8::from(at < right)), 0.5))
        .collect();
    samples("g", &of)
}

#[test]
fn the_balance_of_the_sections_numbers() {
    for (right, all, wanted) in [(6, 9, 0.5), (10, 12, 10.0 / 12.0)] {
        let given = given("b_star", json!({"reference": false}), json!(numbered(right, all)));
        close(&signal(&given, "r0", "balance_score"), &[wanted]);
    }
    // The reference solution is one more right sample.
    let given = given("b_star", json!({}), json!(numbered(6, 9)));
    close(&signal(&given, "r0", "balance_score"), &[7.0 / 8.0 * 0.7]);
}

#[test]
fn the_reference_solution_takes_a_place() {
    // Score 1.1 is before it, 1.0 too, 0.9 behind it.
    let of = samples("g", &[("a", 1.0, 0.5), ("b", 1.0, 0.0), ("c", 1.0, -0.5)]);
    let most = |most: u64| given("b_star", json!({"max_per_query": most}), json!(of));
    let three = most(3);
    assert_eq!(signal(&three, "r0", "reference_selected"), [1.0]);
    assert_eq!([0, 1, 2].map(|row| signal(&three, &format!("r{row}"), "selected")[0]), [1.0, 1.0, 0.0]);
    assert_eq!(signal(&most(2), "r0", "reference_selected"), [0.0]);
    assert_eq!(
        signal(&given("b_star", json!({"threshold": 1.0}), json!(of)), "r0", "reference_selected"),
        [0.0]
    );
}

#[test]
fn duplicates_unanswered_samples_and_prompts_without_a_selection() {
    let mut rows = samples("g", &[("a", 1.0, 0.5), ("a", 1.0, 0.4), ("b", 0.0, 0.3), ("c", 1.0, 0.9)]);
    rows[3]["has_answer"] = json!(false);
    rows.extend(samples("h", &[("a", 0.0, -0.9), ("b", 0.0, -0.8)]));
    let settings = json!({"reference": false, "threshold": 0.0, "target_correct": 1});
    let given = given("b_star", settings, json!(rows));
    let selected: Vec<f64> = (0..6).map(|row| signal(&given, &format!("r{row}"), "selected")[0]).collect();
    assert_eq!(selected, [1.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
    assert_eq!(list(&given, "r1", "token_weights"), [0.0, 0.0]);
    // The second prompt has no selected sample and does not count as 0.
    close(&signal(&given, "r0", "balance_score"), &[0.5]);
    assert!(signal(&given, "r4", "query_balance")[0].is_nan());
    missing("b_star", json!({}), super::rewarded(&[1.0]), "step_rewards");
}

#[test]
fn the_search_selects_as_its_threshold_does() {
    let mut rows = samples("g", &[("a", 1.0, 0.5), ("b", 0.0, 0.9), ("b", 0.0, 0.8), ("c", 1.0, -0.5)]);
    rows.extend(samples("h", &[("a", 0.0, 0.9), ("b", 1.0, 0.2)]));
    let searched = json!({"search": true, "target_size": 4, "reference": false, "target_correct": 2});
    let found = given("b_star", searched, json!(rows));
    let (threshold, most) = (signal(&found, "r0", "threshold")[0], signal(&found, "r0", "most")[0]);
    assert!(threshold >= 0.18 && most >= 2.0, "wrong samples score up to 0.18: {threshold}, {most}");
    let fixed =
        json!({"threshold": threshold, "max_per_query": most, "reference": false, "target_correct": 2});
    let again = given("b_star", fixed, json!(rows));
    for row in 0..6 {
        let id = format!("r{row}");
        assert_eq!(signal(&found, &id, "selected"), signal(&again, &id, "selected"));
        close(&signal(&found, &id, "balance_score"), &signal(&again, &id, "balance_score"));
    }
    let hopeless = json!({"search": true, "reference": false, "threshold_from": 0.5});
    let nothing = given("b_star", hopeless, json!(samples("g", &[("a", 0.0, 0.1)])));
    assert!(!crate::support::in_loss(&nothing, "r0"));
}
