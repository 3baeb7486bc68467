//! Goal-conditioned reward model: similarity of hidden states.

use serde_json::{Value, json};

use super::of_all;
use crate::support::{advantages, close, given, in_loss, list, signal};

/// A unit vector with this cosine to `[1, 0]`.
fn at(cosine: f64) -> [f64; 2] {
    [cosine, (1.0 - cosine * cosine).sqrt()]
}

fn row(reward: f64, states: &[[f64; 2]]) -> Value {
    json!({
        "reward": reward, "token_mask": vec![true; states.len()], "token_hidden_states": states,
        "hidden_goals": [2.0, 0.0],
    })
}

#[test]
fn the_contrastive_loss_has_the_number_of_its_section() {
    let rollouts = json!([row(1.0, &[at(0.8)]), row(0.0, &[at(-0.2)])]);
    let result = given("goal_conditioned_rm", json!({"goal": "given"}), rollouts);
    close(&of_all(&result, "q", 2), &[0.8, -0.2]);
    let losses = of_all(&result, "contrastive_losses", 2);
    close(&[losses[0] + losses[1]], &[0.9692395]);
    let unit = 0.5 / (0.5f64.sqrt() + 1e-6);
    close(&advantages(&result, "r0"), &[unit]);
}

#[test]
fn the_goal_is_the_mean_last_state_of_the_groups_correct_rollouts() {
    let rollouts = json!([
        row(1.0, &[[0.0, 5.0], [2.0, 0.0]]),
        row(1.0, &[[0.0, 5.0], [0.0, 1.0], [0.0, 2.0]]),
        row(0.0, &[[0.0, 3.0], [-1.0, -1.0]]),
    ]);
    let result = given("goal_conditioned_rm", json!({}), rollouts);
    let half = 0.5f64.sqrt();
    close(&signal(&result, "r0", "q"), &[half, half]);
    close(&signal(&result, "r2", "q"), &[half, -1.0]);
    close(&of_all(&result, "rewards", 3), &[half, half, -1.0]);
}

#[test]
fn the_last_state_is_that_of_the_last_trainable_token() {
    let mut correct = row(1.0, &[[0.0, 1.0], [1.0, 0.0], [0.0, -1.0]]);
    correct["token_mask"] = json!([true, true, false]);
    let result = given("goal_conditioned_rm", json!({}), json!([correct, row(0.0, &[[1.0, 0.0]])]));
    close(&of_all(&result, "rewards", 2), &[1.0, 1.0]);
}

#[test]
fn a_low_prefix_prunes_what_follows() {
    let rollouts = json!([row(1.0, &[at(0.9), at(0.1), at(0.9), at(0.9)])]);
    let result = given("goal_conditioned_rm", json!({"goal": "given", "prune_below": 0.5}), rollouts);
    close(&list(&result, "r0", "token_weights"), &[1.0, 1.0, 0.0, 0.0]);
}

#[test]
fn a_group_without_a_correct_rollout_has_no_goal_and_a_zero_state_no_value() {
    let result = given("goal_conditioned_rm", json!({}), json!([row(0.0, &[at(0.5)]), row(0.0, &[at(0.1)])]));
    assert_eq!([in_loss(&result, "r0"), in_loss(&result, "r1")], [false, false]);
    let given = given("goal_conditioned_rm", json!({"goal": "given"}), json!([row(0.0, &[[0.0, 0.0]])]));
    close(&signal(&given, "r0", "q"), &[0.0]);
}

#[test]
fn states_may_live_at_steps() {
    let rollouts = json!([{
        "reward": 1.0, "step_kinds": ["policy", "environment", "policy"], "step_ends": [1, 2, 3],
        "token_mask": [true, false, true], "step_hidden_states": [at(0.5), at(0.0), at(0.25)],
        "hidden_goals": [1.0, 0.0],
    }]);
    let result = given("goal_conditioned_rm", json!({"level": "step", "goal": "given"}), rollouts);
    close(&signal(&result, "r0", "rewards"), &[0.25]);
}
