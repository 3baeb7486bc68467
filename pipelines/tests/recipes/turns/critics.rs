//! POAD, target decoupling and ArCHer: what critics say of tokens, horizons and utterances.

use serde_json::json;

use super::{actions, turns};
use crate::support::{advantages, close, given, in_loss, list, signal};

fn two_actions() -> serde_json::Value {
    let columns = json!({
        "token_values": [0.1, 0.2, 0.3, 0.4, 0.5],
        "step_rewards": [0.0, 1.0],
        "step_dones": [false, true],
    });
    actions(&[3, 2], columns)
}

#[test]
fn poad_has_the_numbers_of_its_section() {
    let result = given("poad", json!({}), json!([two_actions()]));
    let raw = [0.735541, 0.668991, 0.598937, 0.575, 0.5];
    close(&signal(&result, "r0", "token_raw_advantages"), &raw);
    close(&list(&result, "r0", "token_returns"), &[0.835541, 0.868991, 0.898937, 0.975, 1.0]);
    let mean = raw.iter().sum::<f64>() / 5.0;
    let std = (raw.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 5.0).sqrt();
    for (got, raw) in advantages(&result, "r0").iter().zip(raw) {
        assert!((got - (raw - mean) / std).abs() < 1e-4, "{got}");
    }
}

#[test]
fn without_a_discount_poad_is_gae_and_actions_of_one_token_are_ordinary_steps() {
    let row = || json!([two_actions()]);
    let poad = given("poad", json!({"gamma": 1.0}), row());
    let ntpo = given("poad", json!({"gamma": 1.0, "backup": "ntpo"}), row());
    close(&signal(&ntpo, "r0", "token_raw_advantages"), &signal(&poad, "r0", "token_raw_advantages"));
    let mut plain = two_actions();
    plain["reward"] = json!(1.0);
    let gae = given("gae", json!({"lam": 0.95, "gamma": 1.0}), json!([plain]));
    close(&signal(&poad, "r0", "token_raw_advantages"), &advantages(&gae, "r0"));
    let single = json!({"token_values": [0.1, 0.2, 0.3], "step_rewards": [0.5, 0.0, 1.0], "step_dones": [false, false, true]});
    let raw = |backup: &str| {
        let result = given("poad", json!({"backup": backup}), json!([actions(&[1, 1, 1], single.clone())]));
        signal(&result, "r0", "token_raw_advantages")
    };
    close(&raw("poad"), &raw("ntpo"));
    close(&raw("poad"), &raw("archer"));
}

#[test]
fn an_end_inside_a_rollout_cuts_value_and_trace_and_the_last_step_ends_by_default() {
    let columns = json!({
        "token_values": [0.1, null, 0.2, 0.3], "step_rewards": [1.0, null, 0.0],
        "step_dones": [true, null, false], "bootstrap_value": 0.5,
    });
    let result = given("poad", json!({}), json!([turns(&[1, 2], columns.clone())]));
    let last = 0.95 * 0.5 - 0.3;
    let wanted = [0.9, f64::NAN, 0.1 + 0.95 * last, last];
    close(&signal(&result, "r0", "token_raw_advantages"), &wanted);
    let mut ended = columns;
    let row = ended.as_object_mut().unwrap();
    row.remove("step_dones");
    row.remove("bootstrap_value");
    let result = given("poad", json!({}), json!([turns(&[1, 2], ended)]));
    close(&signal(&result, "r0", "token_raw_advantages")[2..], &[0.1 - 0.95 * 0.3, -0.3]);
}

#[test]
fn target_decoupling_has_the_numbers_of_its_section() {
    let columns = json!({
        "step_rewards": [0.0, 0.0, 1.0],
        "step_head_values": [[0.1, 0.5], [0.2, 0.6], [0.4, 0.8]],
        "head_bootstrap_values": [0.0, 0.0],
    });
    let settings = json!({"gammas": [0.5, 0.999]});
    let result = given("target_decoupling", settings, json!([actions(&[1, 1, 1], columns)]));
    close(&advantages(&result, "r0"), &[0.841232, 0.264400, -1.105632]);
    close(&signal(&result, "r0", "step_actor_advantages"), &[0.468590, 0.389010, 0.2]);
    let heads = |name: &str| result.evaluated.signal(name).unwrap().as_numbers().to_vec();
    close(&heads("step_head_advantages"), &[0.135375, 0.468590, 0.285, 0.389010, 0.6, 0.2]);
    close(&heads("step_head_returns"), &[0.235375, 0.968590, 0.485, 0.989010, 1.0, 1.0]);
}

#[test]
fn a_head_that_does_not_exist_is_refused() {
    let columns =
        json!({"step_rewards": [0.0], "step_head_values": [[0.1, 0.5]], "head_bootstrap_values": [0.0, 0.0]});
    for head in [2.0, -1.0, 0.5] {
        let settings = json!({"gammas": [0.5, 0.999], "actor_head": head});
        let rows = json!([actions(&[1], columns.clone())]);
        assert!(crate::support::try_given("target_decoupling", settings, rows).is_err(), "{head}");
    }
}

#[test]
fn routing_by_errors_prefers_heads_that_are_nearly_right() {
    // One step with the errors 0.2, 0.5, 1 and 3.
    let columns = json!({
        "step_rewards": [0.0], "step_head_values": [[0.2, -0.5, 1.0, 3.0]], "head_bootstrap_values": [0.0, 0.0, 0.0, 0.0],
    });
    let settings = json!({"variant": "error_routing"});
    let result =
        given("target_decoupling", settings, json!([actions(&[1], columns.clone()), actions(&[1], columns)]));
    let weights = result.evaluated.signal("step_routing_weights").unwrap().as_numbers().to_vec();
    close(&weights[..4], &[0.274022, 0.265923, 0.252954, 0.207101]);
}

#[test]
fn data_with_another_number_of_heads_is_refused() {
    let columns = json!({
        "step_rewards": [0.0], "step_head_values": [[0.2, 0.3]], "head_bootstrap_values": [0.1, 0.2],
    });
    let error = crate::support::try_given("target_decoupling", json!({}), json!([actions(&[1], columns)]));
    assert!(error.err().expect("two heads, four discounts").to_string().contains("2 heads"));
}

#[test]
fn archer_has_the_numbers_of_its_section() {
    let columns = json!({
        "step_rewards": [0.0, 2.0], "step_dones": [false, true],
        "step_pi_q1": [0.6, 0.0], "step_pi_q2": [0.55, 1.0],
        "step_v1": [0.3, 0.5], "step_v2": [0.35, 0.25],
        "step_target_next_v1": [0.4, 9.0], "step_target_next_v2": [0.5, 9.0],
    });
    let mut unknown = columns.clone();
    unknown["step_target_next_v2"] = json!([null, 9.0]);
    let rows = json!([actions(&[2, 1], columns), actions(&[2, 1], unknown)]);
    let result = given("archer", json!({}), rows);
    close(&signal(&result, "r0", "step_target_q_1"), &[0.38, 2.0]);
    close(&signal(&result, "r0", "step_target_q_2"), &[0.475, 2.0]);
    close(&advantages(&result, "r0"), &[0.25, 0.25, -0.25]);
    assert!(!in_loss(&result, "r1"));
}
