//! MT-GRPO: the survey's check, and rollouts without a tool result.

use serde_json::{Value, json};

use super::{short_turns, with};
use crate::support::{advantages, close, given};

fn called(count: usize, tool: f64, reward: f64) -> Value {
    with(with(short_turns(count), "tool_reward", json!(tool)), "reward", json!(reward))
}

#[test]
fn the_turns_part_lands_before_the_first_result() {
    let rows = json!([called(3, 0.3, 1.0), called(2, 0.1, 0.0), called(2, 0.2, 0.0)]);
    let given = given("mt_grpo", json!({}), rows);
    close(&advantages(&given, "r0"), &[2.15350157, 0.0, 1.15450057, 0.0, 1.15450057]);
    close(&advantages(&given, "r1"), &[-1.57625129, 0.0, -0.57725029]);
    close(&advantages(&given, "r2"), &[-0.57725029, 0.0, -0.57725029]);
}

#[test]
fn without_a_result_both_rewards_are_one() {
    let rows = json!([called(1, 0.5, 1.0), called(1, 0.5, 0.0), called(2, 0.0, 0.0)]);
    let given = given("mt_grpo", json!({}), rows);
    // Sums 1.5, 0.5 and 0: mean 2/3, deviation 0.763763.
    close(&advantages(&given, "r0"), &[(1.5 - 2.0 / 3.0) / (0.7637626 + 1e-4)]);
}

#[test]
fn no_tool_reward_is_grpo() {
    let rows = json!([called(2, 0.0, 1.0), called(2, 0.0, 0.0)]);
    let own = given("mt_grpo", json!({}), rows.clone());
    let grpo = given("grpo", json!({"eps": 1e-4}), rows);
    close(&advantages(&own, "r0"), &advantages(&grpo, "r0"));
}

#[test]
fn what_comes_before_the_first_action_is_no_result() {
    let begun = |mut row: Value| {
        row["step_kinds"] = json!(["environment", "policy", "environment", "policy"]);
        row["step_ends"] = json!([1, 2, 3, 4]);
        row["token_mask"] = json!([false, true, false, true]);
        row
    };
    let rows = || json!([called(2, 0.3, 1.0), called(2, 0.1, 0.0), called(2, 0.2, 0.0)]);
    let late = json!(rows().as_array().unwrap().iter().cloned().map(begun).collect::<Vec<_>>());
    let (plain, late) = (given("mt_grpo", json!({}), rows()), given("mt_grpo", json!({}), late));
    for id in ["r0", "r1", "r2"] {
        close(&advantages(&late, id)[1..], &advantages(&plain, id));
    }
}
