//! HCAPO: the survey's check, the rule that does no harm, and GRPO as a special case.

use serde_json::{Value, json};

use super::{of_policy, short_turns, with, with_turns};
use crate::support::{advantages, close, given, in_loss, signal};

fn looked_back(logprobs: &[f64], reward: f64) -> Value {
    let logprobs: Vec<Value> = logprobs.iter().map(|&x| json!(x)).collect();
    with(
        with_turns(short_turns(logprobs.len()), "step_hindsight_logprobs", &logprobs),
        "reward",
        json!(reward),
    )
}

fn rows() -> Value {
    json!([looked_back(&[-0.8, -0.5, -1.1], 1.0), looked_back(&[-1.0, -1.0], 0.0)])
}

#[test]
fn scores_weights_and_values() {
    let given = given("hcapo", json!({}), rows());
    close(&signal(&given, "r0", "turn_hindsight_scores"), &[0.85214379, 0.90483742, 0.8025188]);
    close(&signal(&given, "r0", "turn_weights"), &[0.99880108, 1.06056349, 0.94063543]);
    close(&signal(&given, "r0", "turn_values"), &[0.90141797, 1.00753531, 0.94063543]);
    close(&signal(&given, "r1", "turn_values"), &[0.0, 0.0]);
    let outcome = std::f64::consts::FRAC_1_SQRT_2;
    let values = [0.90141797, 1.00753531, 0.94063543, 0.0, 0.0];
    let mean = values.iter().sum::<f64>() / 5.0;
    let std = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 4.0).sqrt();
    let wanted: Vec<f64> = values.iter().map(|x| (x - mean) / std).collect();
    let got = of_policy(advantages(&given, "r0"));
    for (got, part) in got.iter().zip(&wanted) {
        assert!((got - (outcome + part)).abs() < 1e-5, "{got} against {}", outcome + part);
    }
}

#[test]
fn a_success_is_not_made_worse_and_without_turns_it_is_grpo() {
    let rows = json!([looked_back(&[-0.5; 12], 1.0), looked_back(&[-0.5], 1.0)]);
    let harmless = given("hcapo", json!({}), rows);
    assert!(of_policy(advantages(&harmless, "r0")).iter().all(|&a| a >= 0.0));
    let of_outcome = given("hcapo", json!({"omega": 0}), self::rows());
    let grpo = given("grpo", json!({}), self::rows());
    close(&advantages(&of_outcome, "r0"), &advantages(&grpo, "r0"));
}

#[test]
fn smoothing_looks_one_turn_ahead() {
    let given = given("hcapo", json!({"smoothing": 0.5}), rows());
    let raw = signal(&given, "r0", "turn_raw_values");
    let wanted = [0.5 * (raw[0] + raw[1]), 0.5 * (raw[1] + raw[2]), raw[2]];
    close(&signal(&given, "r0", "turn_values"), &wanted);
}

#[test]
fn a_turn_without_a_score_leaves_its_rollout_out_of_the_statistics() {
    let mut rows = rows();
    let mut unknown = looked_back(&[-0.1, -0.2], 1.0);
    unknown["step_hindsight_logprobs"][0] = Value::Null;
    let without = given("hcapo", json!({}), rows.clone());
    rows.as_array_mut().unwrap().push(unknown);
    let with = given("hcapo", json!({}), rows);
    assert!(!in_loss(&with, "r2"));
    for id in ["r0", "r1"] {
        close(&advantages(&with, id), &advantages(&without, id));
    }
}
