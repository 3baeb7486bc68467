//! G-RA.

use serde_json::{Value, json};

use super::{advantages, in_loss, lacks, signal, steps};
use crate::support::{close, given, try_given};

fn row(outcome: f64, format: Value) -> Value {
    let columns = json!({
        "reward": outcome, "format_reward": format, "step_rewards": [0.2, 0.5, -0.1],
    });
    steps(&[1, 1, 1], columns)
}

fn settings(more: Value) -> Value {
    let mut settings = json!({
        "channels": ["reward", "format_reward", "step_rewards"], "accumulated": ["step_rewards"], "weight": 0.3,
    });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

#[test]
fn step_rewards_count_behind_open_gates() {
    let rows =
        json!([row(1.0, json!(1.0)), row(0.0, json!(1.0)), row(1.0, json!(0.0)), row(1.0, json!(null))]);
    let gated = given("g_ra", settings(json!({})), rows.clone());
    for (rollout, total) in [("r0", 1.18), ("r1", 0.0), ("r2", 1.0), ("r3", 1.0)] {
        close(&signal(&gated, rollout, "rewards"), &[total]);
    }
    let direct = given("g_ra", settings(json!({ "gated": false })), rows.clone());
    close(&signal(&direct, "r1", "rewards"), &[0.18]);
    let open = given("g_ra", settings(json!({ "thresholds": [-1, -1] })), json!([rows[0], rows[1], rows[2]]));
    for rollout in ["r0", "r1", "r2"] {
        close(&signal(&open, rollout, "rewards"), &signal(&direct, rollout, "rewards"));
    }
    let grpo = given(
        "grpo",
        json!({}),
        json!([{ "reward": 1.18 }, { "reward": 0.0 }, { "reward": 1.0 }, { "reward": 1.0 }]),
    );
    close(&advantages(&gated, "r0"), &[advantages(&grpo, "r0")[0]; 3]);
}

#[test]
fn rewards_that_stay_on_their_steps_become_returns() {
    let rows = json!([row(1.0, json!(1.0)), row(0.0, json!(1.0))]);
    let more = json!({ "placement": "step", "scale": "none" });
    let given_ = given("g_ra", settings(more), rows);
    close(&signal(&given_, "r0", "step_turn_rewards"), &[0.06, 0.15, 0.97]);
    close(&signal(&given_, "r1", "step_turn_rewards"), &[0.0; 3]);
    close(&signal(&given_, "r0", "step_returns"), &[1.18, 1.12, 0.97]);
    let mean = (1.18 + 1.12 + 0.97) / 6.0;
    close(&advantages(&given_, "r0"), &[1.18 - mean, 1.12 - mean, 0.97 - mean]);
}

#[test]
fn a_gate_of_steps_is_each_steps_own() {
    let columns = json!({ "reward": 1.0, "step_format": [1.0, 0.0, 1.0], "step_rewards": [0.2, 0.5, -0.1] });
    let settings =
        json!({ "channels": ["reward", "step_format", "step_rewards"], "accumulated": ["step_rewards"] });
    let given_ = given("g_ra", settings, json!([steps(&[1, 1, 1], columns)]));
    close(&signal(&given_, "r0", "step_gated_rewards"), &[0.2, 0.0, -0.1]);
}

#[test]
fn what_is_missing_is_not_trained_on_and_wrong_settings_are_refused() {
    let mut broken = row(1.0, json!(1.0));
    broken["reward"] = json!(null);
    let given_ = given("g_ra", settings(json!({})), json!([row(1.0, json!(1.0)), broken]));
    assert!(!in_loss(&given_, "r1"));
    close(&advantages(&given_, "r0"), &[0.0; 3]);
    let rows = json!([row(1.0, json!(1.0))]);
    for wrong in [json!({ "thresholds": [0.5] }), json!({ "accumulated": ["reward"] })] {
        assert!(try_given("g_ra", settings(wrong), rows.clone()).is_err());
    }
    lacks(
        "g_ra",
        json!({}),
        json!([steps(&[1], json!({ "reward": 1.0 }))]),
        "step_rewards",
        "process reward",
    );
}
