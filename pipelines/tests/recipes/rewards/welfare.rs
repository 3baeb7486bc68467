//! GTAlign: the utilities of user and model, and rewards normalised per source.

use serde_json::{Value, json};

use super::of_all;
use crate::support::{close, given, in_loss, signal};

fn response(answer: f64, words: u32, payoffs: Value) -> Value {
    json!({
        "answer_score": answer, "format_ok": true, "response_words": words, "text_words": 400,
        "reasoning_characters": 400, "payoff_user": payoffs[0], "payoff_model": payoffs[1],
        "data_source": "math", "token_mask": [true, true], "token_values": [0.25, 0.5],
    })
}

#[test]
fn gtalign_has_the_numbers_of_its_section() {
    // Three of six cells tell user and model apart by more than a tenth.
    let payoffs = json!([[1.0, 2.0, 3.0, 1.0, 1.0, 1.0], [2.0, 1.0, 1.0, 1.0, 1.0, 1.0]]);
    let settings = json!({"normaliser": "none", "whiten": "none"});
    let result = given("gtalign", settings, json!([response(1.0, 200, payoffs)]));
    close(&signal(&result, "r0", "payoff_reward"), &[0.5]);
    close(&signal(&result, "r0", "user_utility"), &[0.7511495227]);
    close(&signal(&result, "r0", "model_utility"), &[0.7720270946]);
    close(&signal(&result, "r0", "rewards"), &[0.7615167651]);
    // With all values known, lambda 1 gives the reward less the value.
    close(&crate::support::advantages(&result, "r0"), &[0.7615167651 - 0.25, 0.7615167651 - 0.5]);
}

#[test]
fn cells_count_half_where_payoffs_are_near_and_malformed_responses_are_worth_nothing() {
    let near = json!([[1.0, 1.0], [1.05, 1.0]]);
    let mut malformed = response(1.0, 200, json!([[], []]));
    malformed["format_ok"] = json!(false);
    let mut unknown = response(1.0, 200, near.clone());
    unknown["answer_score"] = json!(null);
    let rows = json!([response(1.0, 200, near), malformed, unknown]);
    let result = given("gtalign", json!({"normaliser": "none"}), rows);
    close(&signal(&result, "r0", "payoff_reward"), &[1.0 / 12.0]);
    close(&signal(&result, "r1", "rewards"), &[0.0]);
    assert!(!in_loss(&result, "r2"));
}

/// Rewards under a normaliser of rollouts with given welfares. Where lengths are far out of bounds, the welfare is
/// `sqrt((1e-4 + a / 2) (1e-4 + 0.2 + 0.4 a))`, which is solved for the answer's score `a`.
fn normalised(normaliser: &str, scores: &[(&str, f64)]) -> Vec<f64> {
    let row = |(source, score): &(&str, f64)| {
        let (linear, constant): (f64, f64) = (0.5 * 0.2001 + 0.4e-4, 0.2001e-4 - score * score);
        let answer = ((linear * linear - 0.8 * constant).sqrt() - linear) / 0.4;
        json!({
            "answer_score": answer, "format_ok": true, "response_words": 10_000_000, "text_words": 10_000_000,
            "reasoning_characters": 1_000_000_000, "payoff_user": [], "payoff_model": [], "data_source": source,
            "token_mask": [true], "token_values": [0.0],
        })
    };
    let rows: Vec<Value> = scores.iter().map(row).collect();
    of_all(&given("gtalign", json!({"normaliser": normaliser}), json!(rows)), "rewards", scores.len())
}

const SCORES: [(&str, f64); 6] = [("A", 0.2), ("A", 0.6), ("A", 0.9), ("A", 0.4), ("B", 0.8), ("B", 1.0)];

#[test]
fn normalisers_have_the_numbers_of_their_section() {
    close(&normalised("zscore", &SCORES)[..4], &[-1.25675744, 0.29002095, 1.45010473, -0.48336824]);
    close(&normalised("cdf", &SCORES)[..4], &[-0.75, 0.25, 0.75, -0.25]);
    close(&normalised("decentralize", &SCORES)[..4], &[-1.15507621, 0.26655605, 1.33278024, -0.44426008]);
    let james = [-1.57550864, -0.14563525, 0.92676979, -0.86057195, 0.50753673, 1.23060275];
    close(&normalised("james", &SCORES), &james);
    close(&normalised("minmax", &SCORES)[..2], &[0.0, 4.0 / 7.0]);
    close(&normalised("selfadapt", &SCORES)[4..], &[(-0.05f64).tanh(), 0.05f64.tanh()]);
    close(&normalised("none", &SCORES)[5..], &[1.0]);
}

#[test]
fn constant_sources_ties_and_outliers() {
    let constant = [("A", 0.5), ("A", 0.5), ("B", 1.0)];
    for normaliser in ["zscore", "minmax", "cdf", "robustz", "selfadapt"] {
        close(&normalised(normaliser, &constant), &[0.0, 0.0, 0.0]);
    }
    // Two of four share the middle ranks.
    close(&normalised("cdf", &[("A", 0.1), ("A", 0.5), ("A", 0.5), ("A", 0.9)]), &[-0.75, 0.0, 0.0, 0.75]);
    let robust = normalised("robustz", &[("A", 0.0), ("A", 1.0), ("A", 2.0), ("A", 3.0), ("A", 4.0)]);
    close(&robust[2..4], &[0.0, (1.0 / 1.4826f64 / 2.0).tanh()]);
}
