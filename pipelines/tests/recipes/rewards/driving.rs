//! CaRL: progress gated by penalties.

use serde_json::{Value, json};

use crate::support::{close, given, signal};

fn drive(completion: Value, factors: Value, infraction: Value) -> Value {
    let steps = completion.as_array().unwrap().len();
    json!({
        "step_route_completion": completion, "step_penalty_factors": factors, "step_infraction": infraction,
        "token_mask": vec![true; steps], "step_kinds": vec!["policy"; steps],
        "step_ends": (1..=steps).collect::<Vec<_>>(),
    })
}

#[test]
fn carl_has_the_numbers_of_its_section() {
    let factors = json!([[], [1.0, 0.5], [0.85, 0.5, 0.8], [1.0, 0.0]]);
    let row = drive(json!([10.0, 11.5, 13.0, 14.5]), factors, json!([false, false, false, false]));
    let result = given("carl_driving", json!({}), json!([row]));
    close(&signal(&result, "r0", "step_shaped_rewards"), &[10.0, 0.75, 0.51, 0.0]);
}

#[test]
fn infractions_and_lost_progress() {
    let row = || drive(json!([2.0, 1.0, 2.0]), json!([[], [0.5], [null]]), json!([false, false, true]));
    let rewards = |settings: Value| {
        signal(&given("carl_driving", settings, json!([row()])), "r0", "step_shaped_rewards")
    };
    close(&rewards(json!({"terminal_reward": -1.0})), &[2.0, -0.5, f64::NAN]);
    close(&rewards(json!({"clip_negative": true}))[..2], &[2.0, 0.0]);
    let stopped = drive(json!([2.0]), json!([[0.5]]), json!([true]));
    let result = given("carl_driving", json!({"terminal_reward": -1.0}), json!([stopped]));
    close(&signal(&result, "r0", "step_shaped_rewards"), &[0.0]);
}
