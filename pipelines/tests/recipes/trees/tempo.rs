//! TEMPO: what its jumps in value reduce to.

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
