//! SWEET-RL.

use serde_json::{Value, json};

use crate::support::{close, given, signal, try_given};

/// One turn of two tokens, whose log-ratios under the critic are `ratio` and 0.
fn candidate(state: &str, ratio: f64) -> Value {
    json!({
        "token_mask": [true, true], "step_ends": [2], "step_states": [state],
        "token_critic_logprobs": [ratio - 1.0, -1.0], "token_critic_ref_logprobs": [-1.0, -1.0],
    })
}

#[test]
fn the_best_half_is_chosen_and_the_worst_rejected() {
    let ratios = [0.5, -0.25, 1.0, 0.0, 0.25];
    let mut candidates: Vec<Value> = ratios.iter().map(|ratio| candidate("h", *ratio)).collect();
    candidates.push(candidate("other", 9.0));
    let got = given("sweet_rl", json!({}), candidates.into());
    let of = |name: &str| -> Vec<f64> { (0..6).flat_map(|i| signal(&got, &format!("r{i}"), name)).collect() };
    close(&of("step_critic_advantages"), &[0.25, -0.125, 0.5, 0.0, 0.125, 4.5]);
    close(&of("step_chosen"), &[1.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
    close(&of("step_rejected"), &[0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    assert!(got.rows.is_none());
}

#[test]
fn no_candidate_is_chosen_and_rejected_at_once() {
    let of = |ratios: &[f64], settings: Value| -> (Vec<f64>, Vec<f64>) {
        let rows: Vec<Value> = ratios.iter().map(|ratio| candidate("h", *ratio)).collect();
        let got = given("sweet_rl", settings, rows.into());
        let all = |name: &str| (0..ratios.len()).flat_map(|i| signal(&got, &format!("r{i}"), name)).collect();
        (all("step_chosen"), all("step_rejected"))
    };
    // Equal candidates say nothing.
    assert_eq!(of(&[0.5, 0.5], json!({})), (vec![0.0; 2], vec![0.0; 2]));
    // Of equals the first is better.
    assert_eq!(of(&[0.5, 0.0, 0.0], json!({})), (vec![1.0, 0.0, 0.0], vec![0.0, 0.0, 1.0]));
    let quarter = of(&[0.1, 0.2, 0.3, 0.4], json!({ "share": 0.25 }));
    assert_eq!(quarter, (vec![0.0, 0.0, 0.0, 1.0], vec![1.0, 0.0, 0.0, 0.0]));
    let error = try_given("sweet_rl", json!({ "share": 0.75 }), json!([candidate("h", 1.0)]));
    assert!(error.err().is_some_and(|error| error.to_string().contains("share")));
}

#[test]
fn a_turn_that_the_critic_did_not_score_is_in_no_pair() {
    let mut rows: Vec<Value> = [0.5, 0.0, 0.2].iter().map(|ratio| candidate("h", *ratio)).collect();
    rows[0]["token_critic_logprobs"] = json!([null, null]);
    let got = given("sweet_rl", json!({}), rows.into());
    close(&signal(&got, "r0", "step_critic_advantages"), &[f64::NAN]);
    close(&signal(&got, "r0", "step_chosen"), &[f64::NAN]);
    close(&signal(&got, "r2", "step_chosen"), &[1.0]);
    close(&signal(&got, "r1", "step_rejected"), &[1.0]);
}
