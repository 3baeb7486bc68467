//! MM-R5 and PageLLM: rewards of lists.

use serde_json::{Value, json};

use super::of_all;
use crate::support::{advantages, close, given, in_loss, list, signal, try_given};

fn ranked(ranked: &[i64], positive: &[i64], candidates: i64) -> Value {
    json!({
        "ranked_documents": ranked, "positive_documents": positive, "candidate_count": candidates,
        "format_ok": true,
    })
}

#[test]
fn mm_r5_has_the_numbers_of_its_section() {
    let rollouts = json!([
        ranked(&[4, 1, 2, 3, 5], &[4, 2], 5),
        ranked(&[1, 4], &[4, 2], 5),
        ranked(&[1, 2, 3, 9], &[7], 5),
    ]);
    let result = given("mm_r5", json!({}), rollouts);
    close(&of_all(&result, "rank_reward", 3), &[0.9218107, 0.1111111, 0.0]);
    close(&of_all(&result, "format_reward", 3), &[1.0, 0.4, 0.6]);
    close(&signal(&result, "r0", "rewards"), &[1.9218107]);
}

#[test]
fn mm_r5_at_its_edges() {
    let mut broken = ranked(&[1, 2, 3], &[1], 3);
    broken["format_ok"] = json!(false);
    let rollouts = json!([
        broken,
        ranked(&[2, 1, 2, 2], &[2], 4),
        ranked(&[1, 2, 3, 1, 2, 3, 1], &[], 3),
        ranked(&[], &[1], 3),
        ranked(&[1], &[1], 4),
        ranked(&[1], &[1], 0),
    ]);
    let result = given("mm_r5", json!({}), rollouts.clone());
    // The first of repeated documents ranks; more than twice the candidates are worse than none.
    close(&of_all(&result, "rank_reward", 6), &[1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
    close(&of_all(&result, "format_reward", 6), &[0.0, 1.0, -1.0 / 3.0, 0.0, 0.25, 0.0]);
    let released = given("mm_r5", json!({"single_document": "zero"}), rollouts);
    close(&of_all(&released, "format_reward", 6), &[0.0, 1.0, -1.0 / 3.0, 0.0, 0.0, 0.0]);
}

#[test]
fn mm_r5_without_an_answer_that_was_parsed_is_not_trained_on() {
    let mut absent = ranked(&[], &[1], 3);
    absent["ranked_documents"] = Value::Null;
    let result = given("mm_r5", json!({}), json!([absent, ranked(&[1, 2, 3], &[1], 3)]));
    assert_eq!([in_loss(&result, "r0"), in_loss(&result, "r1")], [false, true]);
}

#[test]
fn pagellm_has_the_number_of_its_section() {
    let rollouts = json!([{"page_reward": 0.6, "item_rewards": [1.0, 0.0, 1.0]}]);
    close(&of_all(&given("pagellm", json!({}), rollouts), "rewards", 1), &[0.6333333]);
}

#[test]
fn pagellm_of_lambda_1_is_the_page_reward() {
    let rollouts = json!([
        {"page_reward": 0.6, "item_rewards": [1.0, 0.0], "item_ends": [1, 2], "token_mask": [true, true]},
        {"page_reward": -0.3, "item_rewards": [], "item_ends": [], "token_mask": [true]},
    ]);
    for grain in ["page", "item"] {
        let result = given("pagellm", json!({"lambda": 1.0, "grain": grain}), rollouts.clone());
        close(&of_all(&result, "rewards", 2), &[0.6, -0.3]);
    }
    let along = given("pagellm", json!({"lambda": 1.0, "grain": "item"}), rollouts);
    close(&advantages(&along, "r0"), &[0.6, 0.6]);
}

#[test]
fn pagellm_pages_without_items_have_item_term_0_and_null_items_no_reward() {
    let rollouts = json!([
        {"page_reward": 0.6, "item_rewards": []},
        {"page_reward": 0.6, "item_rewards": [1.0, null]},
    ]);
    let result = given("pagellm", json!({}), rollouts);
    close(&of_all(&result, "rewards", 2), &[0.3, f64::NAN]);
    assert_eq!([in_loss(&result, "r0"), in_loss(&result, "r1")], [true, false]);
}

#[test]
fn pagellm_lands_items_on_their_last_trainable_token() {
    let rollouts = json!([{
        "page_reward": 0.4,
        "item_rewards": [1.0, 0.5],
        "item_ends": [3, 5],
        "token_mask": [true, true, false, true, true, true],
    }]);
    let result = given("pagellm", json!({"grain": "item"}), rollouts);
    close(&signal(&result, "r0", "token_rewards"), &[0.0, 0.5, 0.0, 0.0, 0.25, 0.2]);
    close(&list(&result, "r0", "token_returns"), &[0.95, 0.95, 0.0, 0.45, 0.45, 0.2]);
    close(&advantages(&result, "r0"), &[0.95, 0.95, 0.0, 0.45, 0.45, 0.2]);
    let error =
        try_given("pagellm", json!({"grain": "item"}), json!([{"page_reward": 0.4, "item_rewards": [1.0]}]));
    let error = error.err().expect("items without places");
    assert!(error.to_string().contains("`item_ends`"), "{error}");
}
