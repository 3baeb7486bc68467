//! APPO: the section's check, and its edge cases.

use serde_json::{Value, json};

use crate::support::{advantages, close, given, in_loss, list, signal};

fn initial(rewards: &[f64]) -> Value {
    json!({ "reward": rewards.iter().sum::<f64>(), "token_rewards": rewards, "token_mask": [true, true, true, true] })
}

fn branch(reward: f64, parent: &str, split: i64, score: f64) -> Value {
    json!({
        "reward": reward, "token_rewards": [0.0, reward], "token_mask": [true, true],
        "parent_rollout_id": parent, "split_token": split, "branch_score": score,
    })
}

#[test]
fn appo_adds_the_mean_of_covering_branches() {
    let rollouts = json!([
        initial(&[0.0, 0.0, 0.0, 1.0]),
        initial(&[0.0; 4]),
        branch(1.0, "r0", 2, 0.5),
        branch(1.0, "r1", 1, 0.4),
        branch(0.0, "r0", 2, 0.3),
    ]);
    let given = given("appo", json!({}), rollouts);
    close(&advantages(&given, "r0"), &[0.646445, 0.646445, 0.646445, 0.999998]);
    let own = [-0.999998, 0.707105, -1.414211];
    close(&advantages(&given, "r1"), &[own[0] + own[1], own[0] + own[1], own[0], own[0]]);
    for id in ["r2", "r3", "r4"] {
        close(&list(&given, id, "token_weights"), &[0.0, 0.0]);
    }
    close(&signal(&given, "r4", "base_advantages"), &[own[2]]);
}

#[test]
fn appo_scales_rewards_up_to_the_split() {
    let rollouts = json!([initial(&[1.0; 4]), initial(&[1.0; 4]), branch(1.0, "r0", 2, 0.7)]);
    let scaled = given("appo", json!({}), rollouts.clone());
    close(&signal(&scaled, "r0", "token_scaled_rewards"), &[1.81, 1.9, 2.0, 1.0]);
    close(&signal(&scaled, "r1", "token_scaled_rewards"), &[1.0; 4]);
    let mut rollouts = rollouts;
    rollouts[2]["branch_score"] = json!(-0.1);
    let unscaled = given("appo", json!({}), rollouts);
    close(&signal(&unscaled, "r0", "token_scaled_rewards"), &[1.0; 4]);
}

/// Branches at fixed places have no score; their outcomes count all the same.
#[test]
fn appo_takes_branches_without_a_score() {
    let mut rollouts = json!([
        initial(&[1.0, 0.0, 0.0, 0.0]),
        initial(&[0.0; 4]),
        branch(1.0, "r0", 2, 0.5),
        branch(0.0, "r1", 2, 0.5),
    ]);
    rollouts[2]["branch_score"] = Value::Null;
    let given = given("appo", json!({}), rollouts);
    close(&signal(&given, "r0", "token_scaled_rewards"), &[1.0, 0.0, 0.0, 0.0]);
    close(&advantages(&given, "r0"), &[1.999996, 1.999996, 1.999996, 0.999998]);
}

#[test]
fn appo_leaves_out_a_branch_that_left_nowhere() {
    let mut rollouts =
        json!([initial(&[1.0; 4]), initial(&[0.0; 4]), branch(1.0, "r0", 2, 0.7), branch(0.0, "r0", 1, 0.2)]);
    rollouts[2]["split_token"] = Value::Null;
    let given = given("appo", json!({}), rollouts);
    assert!(!in_loss(&given, "r2"));
    // What is left of the branches is alone, and compared with nothing.
    close(&signal(&given, "r3", "base_advantages"), &[0.0]);
    close(&advantages(&given, "r0"), &[0.9999995; 4]);
}

/// Without branches it is GRPO with the population deviation.
#[test]
fn appo_without_branches_is_grpo() {
    let mut rollouts: Value =
        [0.0, 1.0, 0.25].iter().map(|&reward| json!({ "reward": reward, "token_mask": [true] })).collect();
    for row in rollouts.as_array_mut().unwrap() {
        row["parent_rollout_id"] = Value::Null;
    }
    // A branch of another group gives the columns their types.
    rollouts.as_array_mut().unwrap().push(json!({
        "group_id": "h", "reward": 1.0, "token_mask": [true], "parent_rollout_id": "gone", "split_token": 0, "branch_score": 1.0,
    }));
    let (appo, grpo) =
        (given("appo", json!({}), rollouts.clone()), given("grpo", json!({ "ddof": 0 }), rollouts));
    for id in ["r0", "r1", "r2"] {
        close(&advantages(&appo, id), &advantages(&grpo, id));
    }
}
