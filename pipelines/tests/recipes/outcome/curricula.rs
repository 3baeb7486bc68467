//! Training curricula and DeepSeek-Prover-V2: what weighs or pays at first.

use serde_json::{Value, json};

use crate::support::{advantages, close, given, in_loss, list, signal};

#[test]
fn the_weight_of_a_sample_ramps_from_its_easiness_to_one() {
    let row = |iteration: i64| {
        json!({
            "iteration": iteration, "group_id": format!("g{iteration}"), "rollout_id": format!("r{iteration}"),
            "reward": 1.0, "easiness": 0.3, "token_mask": [true],
        })
    };
    let result = given("curricula_for_re_ranking", json!({}), json!([row(0), row(50), row(100), row(300)]));
    let weights = ["r0", "r50", "r100", "r300"].map(|rollout| list(&result, rollout, "token_weights")[0]);
    close(&weights, &[0.3, 0.65, 1.0, 1.0]);
}

#[test]
fn right_answers_are_easy_where_they_rank_high_and_wrong_ones_where_they_rank_low() {
    let row = |reward: f64, score: f64| json!({"reward": reward, "first_stage_score": score});
    let rows = json!([row(1.0, 9.0), row(0.0, 7.0), row(1.0, 2.0), row(0.0, 1.0)]);
    let settings = json!({"easiness": "reciprocal_rank"});
    let result = given("curricula_for_re_ranking", settings, rows.clone());
    let easiness: Vec<f64> =
        (0..4).flat_map(|row| signal(&result, &format!("r{row}"), "sample_easiness")).collect();
    close(&easiness, &[1.0, 0.5, 1.0 / 3.0, 0.75]);
    let grpo = given("grpo", json!({}), rows);
    assert_eq!(advantages(&result, "r1"), advantages(&grpo, "r1"));
}

#[test]
fn a_proof_that_keeps_to_its_plan_earns_more_at_first() {
    let row = |iteration: i64, verified: f64, whole: bool| {
        json!({
            "iteration": iteration, "group_id": format!("g{iteration}"), "rollout_id": format!("{iteration}-{verified}"),
            "reward": verified, "planned_lemmas_kept": 0.5, "is_whole_theorem": whole, "token_mask": [true],
        })
    };
    let rows = json!([row(0, 1.0, false), row(0, 0.0, true), row(25, 1.0, true), row(50, 1.0, true)]);
    let result = given("deepseek_prover_v2", json!({"whole_from": 25}), rows.clone());
    let reward = |rollout: &str| signal(&result, rollout, "rewards")[0];
    close(&[reward("0-1"), reward("0-0"), reward("25-1"), reward("50-1")], &[1.25, 0.25, 1.125, 1.0]);
    let weights = ["0-1", "0-0", "25-1", "50-1"].map(|rollout| list(&result, rollout, "token_weights")[0]);
    close(&weights, &[1.0, 0.0, 1.0, 1.0]);
    let plain = given("deepseek_prover_v2", json!({"consistency": 0.0}), rows.clone());
    let grpo = given("grpo", json!({}), rows);
    assert_eq!(advantages(&plain, "0-1"), advantages(&grpo, "0-1"));
}

#[test]
fn the_plan_is_read_only_while_it_counts() {
    let row = |iteration: i64, kept: Value| {
        json!({
            "iteration": iteration, "group_id": format!("g{iteration}"), "rollout_id": format!("r{iteration}"),
            "reward": 1.0, "planned_lemmas_kept": kept, "token_mask": [true],
        })
    };
    let rows = json!([row(0, Value::Null), row(50, Value::Null), row(51, 1.0.into())]);
    let result = given("deepseek_prover_v2", json!({}), rows);
    close(&signal(&result, "r0", "rewards"), &[f64::NAN]);
    close(&signal(&result, "r50", "rewards"), &[1.0]);
    assert!(!in_loss(&result, "r0") && in_loss(&result, "r50"));
}
