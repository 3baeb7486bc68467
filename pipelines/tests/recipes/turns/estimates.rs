//! Estimates over turns: Turn-PPO, AgentPRM and RAGEN by the checks of the survey.

use serde_json::{Value, json};

use super::{of_policy, short_turns, with, with_turns};
use crate::support::{advantages, close, given, in_loss, list, signal};

fn valued(rewards: &[f64], values: &[f64]) -> Value {
    let list = |values: &[f64]| -> Vec<Value> { values.iter().map(|&value| json!(value)).collect() };
    let row = with_turns(short_turns(rewards.len()), "step_rewards", &list(rewards));
    with(with_turns(row, "step_values", &list(values)), "reward", json!(1))
}

#[test]
fn turn_ppo() {
    let rows = json!([valued(&[0.0, 0.0, 1.0], &[0.3, 0.5, 0.6])]);
    close(&of_policy(advantages(&given("turn_ppo", json!({}), rows), "r0")), &[0.6372231, 0.4702, 0.4]);
}

#[test]
fn agent_prm() {
    let rows = json!([valued(&[0.0, 0.0, 1.0], &[0.2, 0.5, 0.7])]);
    let with_lambda = given("agent_prm", json!({}), rows.clone());
    close(&of_policy(advantages(&with_lambda, "r0")), &[0.741878575, 0.47515, 0.3]);
    close(&of_policy(signal(&with_lambda, "r0", "step_promise")), &[0.2, 0.5, 0.7]);
    // Without lambda the target of a value is the reward and the next value.
    let td = given("agent_prm", json!({"lam": 0}), rows);
    close(&of_policy(list(&td, "r0", "token_returns")), &[0.495, 0.693, 1.0]);
}

#[test]
fn several_steps_of_a_turn_are_one_action() {
    let rows = json!([{
        "step_kinds": ["think", "tool_call", "observation", "answer"], "reward": 1,
        "step_rewards": [0.0, 0.25, null, 1.0], "step_values": [0.3, 0.9, null, 0.5],
    }]);
    let whole = given("turn_ppo", json!({"gamma": 1, "lam": 0}), rows.clone());
    close(&advantages(&whole, "r0"), &[0.45, 0.45, 0.0, 0.5]);
    let mut unknown = rows.clone();
    unknown[0]["step_rewards"][0] = Value::Null;
    assert!(!in_loss(&given("turn_ppo", json!({}), unknown), "r0"));
    // The value of a turn is its first step's, which no later one stands for.
    let mut unknown = rows.clone();
    unknown[0]["step_values"] = json!([0.3, null, null, 0.5]);
    close(&signal(&given("turn_ppo", json!({}), unknown.clone()), "r0", "turn_values"), &[0.3, 0.5]);
    unknown[0]["step_values"] = json!([null, 0.9, null, 0.5]);
    assert!(!in_loss(&given("turn_ppo", json!({}), unknown), "r0"));
}

fn two_turns() -> Value {
    json!([{
        "token_mask": [true, true, true, true, true, true], "token_values": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
        "step_ends": [3, 6], "step_kinds": ["policy", "policy"], "step_turns": [0, 1],
        "step_rewards": [1.0, 1.0], "reward": 2,
    }])
}

#[test]
fn ragen_on_two_levels() {
    let plain = |lam: f64| {
        let given = given("ragen", json!({"whiten": "none", "lam": lam}), two_turns());
        advantages(&given, "r0")
    };
    close(&plain(1.0), &[1.85, 1.75, 1.65, 0.6, 0.5, 0.4]);
    close(&plain(0.95), &[1.6669775, 1.64945, 1.631, 0.556, 0.48, 0.4]);
}

#[test]
fn ragen_keeps_the_groups_whose_rewards_deviate_most() {
    let row = |group: &str, rollout: &str, reward: f64| {
        let mut row = two_turns()[0].clone();
        row["group_id"] = json!(group);
        row["rollout_id"] = json!(rollout);
        with(row, "reward", json!(reward))
    };
    let rows = json!([row("a", "a0", 1.0), row("a", "a1", 0.0), row("b", "b0", 1.0), row("b", "b1", 1.0)]);
    let given = given("ragen", json!({"kept_groups": 0.5}), rows);
    assert_eq!(list(&given, "a0", "token_weights")[0], 1.0);
    assert_eq!(list(&given, "b0", "token_weights")[0], 0.0);
    // A quarter of five groups is one.
    let five = ["a", "b", "c", "d", "e"];
    let rows: Vec<Value> = (1..=5)
        .zip(five)
        .flat_map(|(spread, group)| {
            [0, spread].map(|reward| row(group, &format!("{group}{reward}"), f64::from(reward)))
        })
        .collect();
    let given = crate::support::given("ragen", json!({"kept_groups": 0.25}), json!(rows));
    let weights = five.map(|group| list(&given, &format!("{group}0"), "token_weights")[0]);
    assert_eq!(weights, [0.0, 0.0, 0.0, 0.0, 1.0]);
}
