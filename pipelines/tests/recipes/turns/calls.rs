//! MatchTIR: the section's check, all three assignments, tau-bench's spelling, and plain GRPO as a special
//! case.

use std::f64::consts::FRAC_1_SQRT_2;

use serde_json::{Value, json};

use super::{of_policy, short_turns, with, with_turns};
use crate::support::{advantages, close, given, in_loss, signal, try_given};

fn given_rewards() -> Value {
    let row = |rewards: &[f64]| {
        let rewards: Vec<Value> = rewards.iter().map(|&reward| json!(reward)).collect();
        with(with_turns(short_turns(rewards.len()), "step_rewards", &rewards), "reward", json!(0))
    };
    json!([row(&[0.5, 1.0, 1.0]), row(&[0.25, 0.0])])
}

#[test]
fn the_sections_check_of_advantages() {
    let rows = given_rewards();
    let as_released = given("matchtir", json!({"assignment": "given", "singleton": "raw"}), rows.clone());
    close(&signal(&as_released, "r0", "turn_returns"), &[2.21, 1.9, 1.0]);
    // Two values are one over the root of 2 from their mean, less what epsilon takes off.
    let apart = FRAC_1_SQRT_2 - 1e-6;
    close(&of_policy(advantages(&as_released, "r0")), &[apart, apart, 0.853553]);
    close(&of_policy(advantages(&as_released, "r1")), &[-apart, -apart]);
    let by_default = given("matchtir", json!({"assignment": "given"}), rows);
    close(&of_policy(advantages(&by_default, "r0")), &[apart, apart, 0.353553]);
}

fn call(name: &str, arguments: Value) -> Value {
    json!({"name": name, "arguments": arguments})
}

/// Two calls in one step, of which gold calls are as alike as 0.9, 0.8; 0.8, 0.1 would be: here 1 and 2/3;
/// 2/3 and 0.
fn two_calls() -> Value {
    let both = json!([call("f", json!({"a": 1})), call("f", json!({"a": 2}))]).to_string();
    let gold = json!([call("f", json!({"a": 1})), call("g", json!({}))]).to_string();
    let row = with_turns(short_turns(2), "step_actions", &[json!(both), json!("done")]);
    with(with(row, "reward", json!(1.0)), "gold_calls", json!(gold))
}

#[test]
fn a_turn_has_the_mean_of_its_calls_and_the_last_the_outcome() {
    let given = given("matchtir", json!({}), json!([two_calls(), with(two_calls(), "reward", json!(0.0))]));
    close(&signal(&given, "r0", "call_rewards"), &[1.0, 0.0]);
    close(&signal(&given, "r0", "turn_rewards"), &[0.5, 1.0]);
    close(&signal(&given, "r0", "step_rewards"), &[0.5, 0.0, 1.0]);
}

#[test]
fn assignments_differ() {
    let golds = json!([call("f", json!({"a": 1, "b": 2})), call("f", json!({"a": 1}))]).to_string();
    let calls = [call("f", json!({"a": 1, "b": 2})), call("f", json!({"a": 1, "b": 2}))];
    let actions = calls.map(|call| json!(call.to_string()));
    let row = with_turns(short_turns(2), "step_actions", &actions);
    let row = with(with(row, "reward", json!(0.0)), "gold_calls", json!(golds));
    let rewards = |assignment: &str| {
        let given = given("matchtir", json!({"assignment": assignment}), json!([row.clone()]));
        signal(&given, "r0", "call_rewards")
    };
    // Similarities 1 and 5/6 for both calls.
    close(&rewards("greedy"), &[1.0, 5.0 / 6.0]);
    close(&rewards("optimal"), &[1.0, 5.0 / 6.0]);
    close(&rewards("ot"), &[0.5 * 0.5 * (1.0 + 5.0 / 6.0); 2]);
    let error = try_given("matchtir", json!({"assignment": "ot", "reg": 0}), json!([row])).err().unwrap();
    assert!(error.hint().contains("0.01"), "{error}: {}", error.hint());
}

#[test]
fn trials_of_tau_bench_have_their_gold_actions_in_metadata() {
    let trial = |user: &str, reward: f64| {
        json!({
            "step_kinds": ["policy", "user", "policy", "tool_call", "observation", "tool_call", "observation", "policy"],
            "step_actions": [
                "Hello (again)", null, "One moment.", format!(r#"find_user({{"id":"{user}"}})"#), null,
                r#"book({"flight":"HAT136","seats":1})"#, null, "Done."
            ],
            "reward": reward,
            "metadata": json!({"gold_actions": [r#"book({"flight":"HAT136","seats":2})"#, r#"find_user({"id":"mia"})"#]})
                .to_string(),
        })
    };
    let given = given("matchtir", json!({}), json!([trial("mia", 1.0), trial("ann", 0.0)]));
    close(&signal(&given, "r0", "call_rewards"), &[1.0, 0.75]);
    close(&signal(&given, "r1", "call_rewards"), &[2.0 / 3.0, 0.75]);
    close(&signal(&given, "r0", "turn_rewards"), &[0.0, 1.0, 0.75, 1.0]);
    assert!(in_loss(&given, "r0") && advantages(&given, "r0")[3] > 0.0);
}

#[test]
fn calls_that_cannot_be_read_and_gold_calls_that_are_missing() {
    let row = |actions: [Value; 2], gold: Value| {
        let row = with_turns(short_turns(2), "step_actions", &actions);
        let row = with(with(row, "reward", json!(0.0)), "gold_calls", gold);
        with(row, "step_kinds", json!(["tool_call", "observation", "tool_call"]))
    };
    let settings = json!({"unmatched": -0.5});
    let gold = json!([call("f", json!({}))]).to_string();
    let rows = json!([
        row([json!("f(broken"), json!("f({})")], json!(gold)),
        row([json!("f({})"), json!("f({})")], json!("[]")),
        row([json!("f({})"), json!("f({})")], Value::Null),
    ]);
    let with_gaps = given("matchtir", settings.clone(), rows);
    close(&signal(&with_gaps, "r0", "call_rewards"), &[-0.5, 1.0]);
    close(&signal(&with_gaps, "r1", "call_rewards"), &[-0.5, -0.5]);
    assert!(!in_loss(&with_gaps, "r2"));
    let broken = json!([row([json!("f({})"), json!("f({})")], json!("gold"))]);
    let error = try_given("matchtir", settings, broken).err().unwrap();
    assert!(error.to_string().contains("gold_calls") && error.to_string().contains("r0"), "{error}");
    let mut unread = two_calls();
    unread["metadata"] = json!("no JSON");
    unread.as_object_mut().unwrap().remove("gold_calls");
    let error = try_given("matchtir", json!({}), json!([unread])).err().unwrap();
    assert!(error.to_string().contains("metadata") && error.to_string().contains("r0"), "{error}");
}

#[test]
fn without_calls_and_discount_it_is_grpo() {
    let row = |reward: f64| {
        let row = with_turns(short_turns(1), "step_actions", &[json!("answer")]);
        with(with(row, "reward", json!(reward)), "gold_calls", json!("[]"))
    };
    let rows = json!([row(1.0), row(0.25), row(0.0)]);
    let (own, grpo) = (given("matchtir", json!({}), rows.clone()), given("grpo", json!({}), rows));
    for id in ["r0", "r1", "r2"] {
        close(&advantages(&own, id), &advantages(&grpo, id));
    }
}

#[test]
fn a_turn_without_a_reward_leaves_its_rollout_out_of_the_statistics() {
    let mut rows = given_rewards();
    let settings = json!({"assignment": "given"});
    let without = given("matchtir", settings.clone(), rows.clone());
    let unknown = with_turns(short_turns(2), "step_rewards", &[Value::Null, json!(9.0)]);
    rows.as_array_mut().unwrap().push(with(unknown, "reward", json!(0)));
    let with_gap = given("matchtir", settings, rows);
    assert!(!in_loss(&with_gap, "r2"));
    for id in ["r0", "r1"] {
        close(&advantages(&with_gap, id), &advantages(&without, id));
    }
}
