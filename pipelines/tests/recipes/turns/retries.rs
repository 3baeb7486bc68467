//! R3L: what a retry and its base are credited with.

use serde_json::{Value, json};

use super::turns;
use crate::support::{advantages, close, given, in_loss, list};

fn base(reward: Value) -> Value {
    turns(&[1, 1, 1], json!({"kind": "base", "reward": reward}))
}

#[test]
fn positive_advantages_are_amplified_and_full_successes_have_one() {
    let rows = [0.0, 0.2, 0.6, 1.0].map(|reward| base(json!(reward)));
    let mut rows = json!(rows);
    rows[0]["parent_rollout_id"] = json!(null);
    rows[0]["retry_from_step"] = json!(0);
    rows[1]["parent_rollout_id"] = json!("none");
    let result = given("r3l", json!({}), rows);
    for (rollout, wanted) in [("r0", -0.45), ("r1", -0.25), ("r2", 0.45), ("r3", 1.0)] {
        close(&advantages(&result, rollout)[..1], &[wanted]);
    }
}

#[test]
fn what_a_retry_shares_with_its_base_has_no_weight_in_either() {
    let mut retry = turns(&[1, 1, 2], json!({"kind": "retry", "reward": 0.5, "parent_rollout_id": "r0"}));
    retry["retry_from_step"] = json!(1);
    let mut aside = turns(&[2], json!({"kind": "reflection", "reward": 1.0, "parent_rollout_id": "r0"}));
    aside["group_id"] = json!("g/reflect-0");
    let rows = json!([base(json!(0.0)), retry, base(json!(0.0)), aside, base(json!(null))]);
    let result = given("r3l", json!({}), rows);
    close(&list(&result, "r0", "token_weights"), &[0.0, 0.0, 1.0, 0.0, 1.0]);
    close(&list(&result, "r1", "token_weights"), &[0.0, 0.0, 1.0, 0.0, 1.0, 1.0]);
    close(&list(&result, "r2", "token_weights"), &[1.0, 0.0, 1.0, 0.0, 1.0]);
    close(&advantages(&result, "r3"), &[1.0, 1.0]);
    // The mean is over base rollouts and retries.
    let third = 0.5 / 3.0;
    close(&advantages(&result, "r0"), &[0.0, 0.0, -third, 0.0, -third]);
    close(&advantages(&result, "r1")[2..3], &[6.0 * third]);
    assert!(!in_loss(&result, "r4"));
}

#[test]
fn selection_follows_what_reflections_say() {
    let of = |kind: &str, reward: Value| {
        let mut row = turns(&[1, 1], json!({"kind": kind, "reward": reward, "parent_rollout_id": "r0"}));
        row["reflection_outcome"] = if kind == "reflection" { json!("failure") } else { json!(null) };
        row["retry_from_step"] = if kind == "reflection" { json!(1) } else { json!(null) };
        row
    };
    let family = |retried: f64| {
        let first = base(json!(0.2));
        json!([
            first,
            of("retry", json!(retried)),
            of("reflection", json!(null)),
            of("guided_retry", json!(null))
        ])
    };
    let trained = |retried: f64| {
        let result = given("r3l", json!({"selection": "decided"}), family(retried));
        ["r0", "r1", "r2", "r3"].map(|rollout| in_loss(&result, rollout))
    };
    assert_eq!(trained(1.0), [true, true, true, true]);
    assert_eq!(trained(0.8), [true, true, false, false]);
}

#[test]
fn without_amplification_and_full_successes_it_is_the_centred_reward() {
    let rows = || {
        let mut rows = json!([base(json!(0.0)), base(json!(0.5)), base(json!(1.0))]);
        rows[0]["retry_from_step"] = json!(0);
        rows[0]["parent_rollout_id"] = json!("none");
        rows
    };
    let settings = json!({"amplify": 1.0, "full_reward": null});
    let (result, dr_grpo) = (given("r3l", settings, rows()), given("dr_grpo", json!({}), rows()));
    for rollout in ["r0", "r1", "r2"] {
        close(&advantages(&result, rollout), &advantages(&dr_grpo, rollout));
    }
}

#[test]
fn a_rollout_of_another_kind_is_left_out() {
    let rows = json!([
        turns(
            &[1, 1],
            json!({"kind": "base", "reward": 0.5, "parent_rollout_id": "none", "retry_from_step": 0})
        ),
        turns(
            &[1, 1],
            json!({"kind": "rety", "reward": 0.0, "parent_rollout_id": "none", "retry_from_step": 0})
        ),
    ]);
    let result = given("r3l", json!({}), rows);
    assert_eq!([in_loss(&result, "r0"), in_loss(&result, "r1")], [true, false]);
    close(&advantages(&result, "r0")[..1], &[1.5]);
}
