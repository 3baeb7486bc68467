//! DQC and WSRL: targets of critics.

use serde_json::json;

use super::stepped;
use crate::support::{close, given, signal};

#[test]
fn dqc_has_the_numbers_of_its_section() {
    let mut logits = vec![0.0; 26];
    logits[25] = (0.7_f64 / 0.3).ln();
    let open = stepped(26, json!({"step_goal_reached": vec![false; 26], "step_value_logits": logits}));
    let solved = stepped(
        4,
        json!({"step_goal_reached": [false, false, false, true], "step_value_logits": [0.0, 0.0, 0.0, 0.0]}),
    );
    let result = given("dqc", json!({}), json!([open, solved]));
    let targets = signal(&result, "r0", "step_chunk_targets");
    close(&targets[..1], &[0.6827083988]);
    // No later chunk fits before the end.
    assert!(targets[1..].iter().all(|target| target.is_nan()));
    let solved = signal(&result, "r1", "step_chunk_targets");
    close(&solved, &[0.997002999, 0.999 * 0.999, 0.999, 1.0]);
}

#[test]
fn dqc_with_chunks_of_one_step_is_a_one_step_backup() {
    let row =
        stepped(3, json!({"step_goal_reached": [false, false, true], "step_value_logits": [0.3, -0.2, 0.4]}));
    let result = given("dqc", json!({"h": 1, "gamma": 0.9}), json!([row]));
    let ahead = |logit: f64| 0.9 / (1.0 + (-logit).exp());
    close(&signal(&result, "r0", "step_chunk_targets"), &[ahead(-0.2), ahead(0.4), 1.0]);
}

#[test]
fn wsrl_has_the_numbers_of_its_section() {
    let row = |iteration: i64| {
        stepped(
            2,
            json!({
                "iteration": iteration, "rollout_id": format!("r{iteration}"), "step_rewards": [0.0, 1.0], "step_dones": [false, true],
                "step_critic_next_values": [[2.0, 2.4], [null, null]], "step_next_logprobs": [-1.5, null],
            }),
        )
    };
    let result = given("wsrl", json!({}), json!([row(0), row(1)]));
    close(&signal(&result, "r0", "step_targets"), &[2.277, 1.0]);
    let enabled =
        [signal(&result, "r0", "updates_enabled"), signal(&result, "r1", "updates_enabled")].concat();
    close(&enabled, &[0.0, 1.0]);
}

#[test]
fn wsrl_takes_the_least_of_the_critics_that_it_draws() {
    let values: Vec<[f64; 4]> = vec![[1.0, 2.0, 3.0, 4.0]; 40];
    let row = stepped(
        40,
        json!({
            "step_rewards": vec![0.0; 40], "step_dones": vec![false; 40],
            "step_critic_next_values": values, "step_next_logprobs": vec![0.0; 40],
        }),
    );
    let rows = json!([row]);
    let least = |subset: u8| {
        signal(&given("wsrl", json!({ "subset": subset }), rows.clone()), "r0", "step_least_values")
    };
    close(&least(4), &[1.0; 40]);
    // The least of two of four is 1, 2 or 3, with chances 1/2, 1/3 and 1/6.
    let mean = least(2).iter().sum::<f64>() / 40.0;
    assert!((mean - 5.0 / 3.0).abs() < 0.4, "{mean}");
    assert!(least(2).iter().all(|&value| value < 4.0));
}

#[test]
fn dqc_gives_no_target_to_a_chunk_that_may_have_reached_the_goal() {
    let row = stepped(
        4,
        json!({"step_goal_reached": [false, null, false, true], "step_value_logits": [0.0, 0.0, 0.0, 0.0]}),
    );
    let result = given("dqc", json!({"h": 2, "gamma": 0.5}), json!([row]));
    close(&signal(&result, "r0", "step_chunk_targets"), &[f64::NAN, f64::NAN, 0.5, 1.0]);
    let never = stepped(2, json!({"step_goal_reached": [false, false], "step_value_logits": [0.0, 0.0]}));
    let never = given("dqc", json!({"h": 1, "gamma": 0.5}), json!([never]));
    close(&signal(&never, "r0", "step_goal_offsets"), &[f64::NAN; 2]);
    close(&signal(&never, "r0", "step_chunk_targets"), &[0.25, f64::NAN]);
}

#[test]
fn wsrl_has_no_target_where_a_critic_has_no_value() {
    let row = stepped(
        2,
        json!({
            "step_rewards": [0.0, 1.0], "step_dones": [false, false],
            "step_critic_next_values": [[2.0, null], [1.0, 2.0]], "step_next_logprobs": [0.0, 0.0],
        }),
    );
    let result = given("wsrl", json!({}), json!([row]));
    close(&signal(&result, "r0", "step_targets"), &[f64::NAN, 1.99]);
}

#[test]
fn dqc_counts_policy_steps_only() {
    let row = json!({
        "token_mask": [false, true, false, true, false], "step_ends": [1, 2, 3, 4, 5],
        "step_kinds": ["observation", "policy", "observation", "policy", "observation"],
        "step_goal_reached": [false, false, null, true, true], "step_value_logits": [9.0, 0.0, null, 0.0, 9.0],
    });
    let result = given("dqc", json!({"h": 2, "gamma": 0.5}), json!([row]));
    let none = f64::NAN;
    close(&signal(&result, "r0", "step_goal_offsets"), &[none, 1.0, none, 0.0, none]);
    close(&signal(&result, "r0", "step_chunk_targets"), &[none, 0.5, none, 1.0, none]);
}
