//! TEMPO: the section's check, and what its jumps in value reduce to.

use serde_json::{Value, json};

use crate::support::{advantages, close, given};

fn rollouts(tokens: [[i32; 3]; 4]) -> Value {
    let rows = tokens
        .iter()
        .zip([1.0, 0.0, 0.5, 0.0])
        .map(|(ids, reward)| json!({ "reward": reward, "token_ids": ids, "token_mask": [true, true, true] }));
    rows.collect()
}

/// Where no rollout branches off, values do not jump, and what is left is the group-relative advantage.
#[test]
fn tempo_without_a_branch_is_grpo() {
    let alike = rollouts([[5, 7, 9]; 4]);
    let (tempo, grpo) = (given("tempo", json!({}), alike.clone()), given("grpo", json!({}), alike));
    for id in ["r0", "r1", "r2", "r3"] {
        close(&advantages(&tempo, id), &advantages(&grpo, id));
        assert!(advantages(&tempo, id).iter().any(|x| *x != 0.0), "{id}");
    }
}

/// Before the fork too, and where the branches' values are equal.
#[test]
fn tempo_is_grpo_where_values_do_not_jump() {
    let forked = rollouts([[5, 7, 9], [5, 7, 2], [5, 7, 9], [5, 7, 2]]);
    let (tempo, grpo) = (given("tempo", json!({}), forked.clone()), given("grpo", json!({}), forked));
    for id in ["r0", "r1", "r2", "r3"] {
        let (tempo, grpo) = (advantages(&tempo, id), advantages(&grpo, id));
        close(&tempo[..2], &grpo[..2]);
        assert!((tempo[2] - grpo[2]).abs() > 0.1, "{id}: the fork has a jump");
    }
}

/// The numeric check of the section: rollouts of different lengths, with and without the deviation.
#[test]
fn tempo_of_four_rollouts() {
    let rows: Value = [(1.0, &[5, 7, 9, 2][..]), (0.0, &[5, 7, 8, 2]), (1.0, &[5, 6, 2]), (0.0, &[4, 3, 2])]
        .iter()
        .map(|(reward, ids)| json!({ "reward": reward, "token_ids": ids, "token_mask": vec![true; ids.len()] }))
        .collect();
    let check = |settings: Value, wanted: [&[f64]; 4]| {
        let got = given("tempo", settings, rows.clone());
        for (at, wanted) in wanted.into_iter().enumerate() {
            close(&advantages(&got, &format!("r{at}")), wanted);
        }
    };
    check(
        json!({ "scale": "none" }),
        [
            &[0.66666667, 0.33333333, 1.0, 0.5],
            &[-0.33333333, -0.66666667, -1.0, -0.5],
            &[0.66666667, 0.83333333, 0.5],
            &[-1.0, -0.5, -0.5],
        ],
    );
    check(
        json!({}),
        [
            &[1.15469854, 0.57734927, 1.73204781, 0.86602390],
            &[-0.57734927, -1.15469854, -1.73204781, -0.86602390],
            &[1.15469854, 1.44337317, 0.86602390],
            &[-1.73204781, -0.86602390, -0.86602390],
        ],
    );
}

/// A rollout that is a prefix of another ends where the other goes on, which is a jump; the mask ends all jumps.
#[test]
fn tempo_of_a_prefix_and_of_masked_tokens() {
    let row = |reward: f64, ids: &[i32], mask: &[bool]| json!({ "reward": reward, "token_ids": ids, "token_mask": mask });
    let rows = json!([row(1.0, &[5, 7, 9], &[true; 3]), row(0.0, &[5, 7], &[true; 2])]);
    let got = given("tempo", json!({ "scale": "none" }), rows);
    close(&advantages(&got, "r0"), &[0.5, 0.5, 1.0]);
    close(&advantages(&got, "r1"), &[-0.5, -0.5]);
    let masked =
        json!([row(1.0, &[5, 7, 9], &[true, false, true]), row(0.0, &[5, 7, 8], &[true, false, true])]);
    let got = given("tempo", json!({ "scale": "none" }), masked);
    close(&advantages(&got, "r0"), &[0.5, 0.0, 0.5]);
}

/// What is not trained on is in no mean and in no value of a branch.
#[test]
fn tempo_of_rollouts_that_count() {
    let row = |reward: Value, ids: &[i32], mask: bool| json!({ "reward": reward, "token_ids": ids, "token_mask": vec![mask; ids.len()] });
    let counted = || [row(json!(1.0), &[5, 7], true), row(json!(0.0), &[5, 8], true)];
    let plain = given("tempo", json!({}), json!(counted()));
    for other in
        [row(json!(9.0), &[5, 7], false), row(Value::Null, &[5, 7], true), row(json!(9.0), &[], true)]
    {
        let [first, second] = counted();
        let got = given("tempo", json!({}), json!([first, second, other]));
        for id in ["r0", "r1"] {
            close(&advantages(&got, id), &advantages(&plain, id));
        }
    }
}
