//! SPA-RL: the section's check of both forms, and what adds up to the outcome.

use serde_json::{Value, json};

use super::{of_policy, short_turns, with, with_turns};
use crate::support::{advantages, close, given, signal};

fn contributing(contributions: &[f64], grounded: &[bool], reward: f64) -> Value {
    let contributions: Vec<Value> = contributions.iter().map(|&x| json!(x)).collect();
    let grounded: Vec<Value> = grounded.iter().map(|&on| json!(on)).collect();
    let row = with_turns(short_turns(grounded.len()), "step_contributions", &contributions);
    with(with_turns(row, "step_grounded", &grounded), "reward", json!(reward))
}

fn first() -> Value {
    contributing(&[0.1, 0.3, 0.5], &[true, false, true], 1.0)
}

#[test]
fn the_papers_rewards() {
    let given = given("spa_rl", json!({"values": "none"}), json!([first()]));
    close(&signal(&given, "r0", "turn_rewards"), &[0.6, 0.3, 1.0]);
    close(&of_policy(advantages(&given, "r0")), &[1.9, 1.3, 1.0]);
}

#[test]
fn the_releases_rewards() {
    let others = |reward: f64| contributing(&[0.0], &[false], reward);
    let rows = json!([first(), others(0.0), others(0.5)]);
    let given = given("spa_rl", json!({"values": "none", "variant": "release"}), rows);
    close(&signal(&given, "r0", "turn_rewards"), &[1.25, 0.75, 1.25]);
    close(&of_policy(signal(&given, "r0", "token_rewards")), &[2.5, 0.75, 0.0]);
    close(&signal(&given, "r1", "turn_rewards"), &[-0.25]);
}

#[test]
fn contributions_alone_add_up_to_the_outcome() {
    let rows = json!([contributing(&[0.25, 0.25, 0.5], &[true, true, true], 1.0)]);
    let given = given("spa_rl", json!({"values": "none", "beta": 0}), rows);
    close(&advantages(&given, "r0")[..1], &[1.0]);
}
