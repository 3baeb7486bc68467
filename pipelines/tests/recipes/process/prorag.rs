use serde_json::{Value, json};

use super::{advantages, in_loss, lacks, signal, steps};
use crate::support::{close, given};

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn pair() -> Value {
    json!([
        steps(
            &[2, 1],
            json!({
                "format_ok": true, "f1": 0.8, "step_prm_probabilities": [sigmoid(1.0), sigmoid(-0.5)],
                "step_format_ok": [true, true],
            })
        ),
        steps(
            &[2],
            json!({
                "format_ok": true, "f1": 0.1, "step_prm_probabilities": [sigmoid(0.2)], "step_format_ok": [false],
            })
        ),
    ])
}

#[test]
fn the_numbers_of_the_section() {
    let given_ = given("prorag", json!({}), pair());
    close(&signal(&given_, "r0", "outcome_rewards"), &[2.6]);
    close(&signal(&given_, "r0", "outcome_advantages"), &[0.7070443]);
    close(&signal(&given_, "r0", "step_scores"), &[1.7310586, 1.3775407]);
    close(&signal(&given_, "r1", "step_scores"), &[-1.4501660]);
    close(&signal(&given_, "r0", "token_step_advantages"), &[0.8917244, 0.8917244, 0.6570296]);
    close(&advantages(&given_, "r0"), &[0.9745616, 0.9745616, 0.9041532]);
    close(&advantages(&given_, "r1"), &[-1.0731160, -1.0731160]);
}

#[test]
fn with_beta_0_it_is_grpo() {
    let mut rows = pair();
    for (row, reward) in [2.6, 1.0].into_iter().enumerate() {
        rows[row]["reward"] = json!(reward);
    }
    let grpo = given("grpo", json!({ "eps": 1e-4 }), rows.clone());
    for settings in [json!({ "step_weight": 0 }), json!({ "step_weight": 0, "outcome": "reward" })] {
        let prorag = given("prorag", settings, rows.clone());
        close(&advantages(&prorag, "r0"), &advantages(&grpo, "r0"));
    }
}

#[test]
fn a_group_of_one_has_its_steps_only_and_a_single_token_nothing() {
    let one = json!([pair()[0]]);
    let given_ = given("prorag", json!({}), one);
    close(&signal(&given_, "r0", "outcome_advantages"), &[0.0]);
    let steps_alone = [1.0 / 2f64.sqrt(), -2f64.sqrt()].map(|z| 0.3 * z);
    close(&advantages(&given_, "r0"), &[steps_alone[0], steps_alone[0], steps_alone[1]]);
    let token = json!([steps(
        &[1],
        json!({
            "format_ok": true, "f1": 0.8, "step_prm_probabilities": [0.5], "step_format_ok": [true],
        })
    )]);
    close(&advantages(&given("prorag", json!({}), token), "r0"), &[0.0]);
}

#[test]
fn masked_text_is_in_no_pool_and_missing_scores_take_the_rollout_out() {
    let mut rows = pair();
    rows[0]["token_mask"] = json!([true, false, true]);
    rows[0]["step_prm_probabilities"] = json!([0.9, 0.1]);
    rows[1]["step_prm_probabilities"] = json!([null]);
    let given_ = given("prorag", json!({ "step_format": "released (always -2)" }), rows);
    assert!(!in_loss(&given_, "r1"));
    close(&advantages(&given_, "r0"), &[0.3, 0.0, -0.3]);
    let bare = json!([steps(&[1], json!({ "format_ok": true, "f1": 1.0, "step_format_ok": [true] }))]);
    lacks("prorag", json!({}), bare, "step_prm_probabilities", "process reward model");
}
