//! BranchGRPO: values and advantages in a tree of denoising steps.

use meed_pipelines::InMemory;
use serde_json::{Value, json};

use crate::support::{advantages, close, given, list, signal};

/// A binary tree of two splits: nodes 1 and 2, and the leaves 3 to 6.
fn tree(settings: Value) -> InMemory {
    let leaf = |inner: i64, leaf: i64, reward: f64, logprobs: [f64; 2]| json!({ "step_nodes": [inner, leaf], "step_old_logprobs": logprobs, "reward": reward });
    let rows = json!([
        leaf(1, 3, 1.0, [-1.1, -1.0]),
        leaf(1, 4, 0.6, [-1.1, -1.2]),
        leaf(2, 5, 0.2, [-1.3, -0.9]),
        leaf(2, 6, 0.5, [-1.3, -1.5]),
    ]);
    given("branch_grpo", settings, rows)
}

#[test]
fn the_numbers_of_the_section() {
    let mean = tree(json!({}));
    let wanted = [
        ("r0", [0.8, 1.0], [0.707106759, 1.286304805]),
        ("r1", [0.8, 0.6], [0.707106759, 0.075664989]),
        ("r2", [0.35, 0.2], [-0.707106759, -1.134974828]),
        ("r3", [0.35, 0.5], [-0.707106759, -0.226994966]),
    ];
    for (rollout, values, advantage) in wanted {
        close(&signal(&mean, rollout, "step_fused_rewards"), &values);
        close(&advantages(&mean, rollout), &advantage);
    }
    let probable = tree(json!({ "fusion": "probability" }));
    close(&signal(&probable, "r1", "step_fused_rewards")[..1], &[0.819933599]);
    close(&signal(&probable, "r2", "step_fused_rewards")[..1], &[0.306303108]);
    close(&signal(&probable, "r3", "fused_reward"), &[0.588714614]);
}

#[test]
fn an_edge_is_trained_once_and_where_it_is_not_pruned() {
    let weights = |settings: Value| -> Vec<Vec<f64>> {
        let given = tree(settings);
        ["r0", "r1", "r2", "r3"].iter().map(|rollout| list(&given, rollout, "token_weights")).collect()
    };
    let all = [vec![1.0, 1.0], vec![0.0, 1.0], vec![1.0, 1.0], vec![0.0, 1.0]];
    assert_eq!(weights(json!({})), all);
    let leaves = [vec![0.0, 1.0], vec![0.0, 1.0], vec![0.0, 1.0], vec![0.0, 1.0]];
    assert_eq!(weights(json!({ "depth_pruning": [1] })), leaves);
    // Of four edges behind the split the best and the worst are kept.
    let extreme = json!({ "split_steps": [0], "width_pruning": { "mode": "extreme", "ratio": 0.5 } });
    assert_eq!(weights(extreme), [vec![1.0, 1.0], vec![0.0, 0.0], vec![1.0, 1.0], vec![0.0, 0.0]]);
    let over = json!({ "depth_pruning": [1], "max_steps": 10, "current_step": 6, "pruning_step_ratio": 0.5 });
    assert_eq!(weights(over), all);
    let windows = json!({ "mixed_ode_sde": true, "window": 1, "interval": 5, "split_steps": [] });
    assert_eq!(weights(windows), [vec![1.0, 0.0], vec![0.0, 0.0], vec![1.0, 0.0], vec![0.0, 0.0]]);
}

#[test]
fn pruned_depths_move_up_with_training() {
    let weights = |iteration: i64| {
        let row = |leaf: i64, reward: f64| json!({ "iteration": iteration, "step_nodes": [1, 2, leaf], "step_old_logprobs": [0.0, 0.0, 0.0], "reward": reward });
        let settings = json!({
            "split_steps": [0], "depth_pruning": "3", "depth_slide": true, "stop_depth": 1, "interval": 2,
        });
        list(&given("branch_grpo", settings, json!([row(3, 1.0), row(4, 0.0)])), "r0", "token_weights")
    };
    assert_eq!(weights(1), [1.0, 1.0, 0.0]);
    assert_eq!(weights(2), [1.0, 0.0, 1.0]);
    assert_eq!(weights(4), [0.0, 1.0, 1.0]);
    assert_eq!(weights(9), [0.0, 1.0, 1.0]);
}

#[test]
fn a_tree_of_single_steps_is_dance_grpo() {
    let rewards = [0.2, 0.5, 0.9, 0.4];
    let leaf = |(i, reward): (usize, &f64)| json!({ "step_nodes": [i], "step_old_logprobs": [0.0], "reward": reward });
    let rows: Value = rewards.iter().enumerate().map(leaf).collect();
    let (branch, dance) =
        (given("branch_grpo", json!({}), rows.clone()), given("dance_grpo", json!({}), rows));
    for rollout in ["r0", "r1", "r2", "r3"] {
        close(&advantages(&branch, rollout), &advantages(&dance, rollout));
    }
    let equal = json!([
        { "step_nodes": [0], "step_old_logprobs": [null], "reward": 1.0 },
        { "step_nodes": [1], "step_old_logprobs": [null], "reward": 1.0 },
    ]);
    close(&advantages(&given("branch_grpo", json!({}), equal), "r0"), &[0.0]);
}
