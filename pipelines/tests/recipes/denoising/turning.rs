//! TP-GRPO of flow models and DenseGRPO: what each step added to the reward of its completion.

use meed_pipelines::InMemory;
use serde_json::{Value, json};

use crate::support::{advantages, close, given, in_loss, signal};

/// One sample per list: the reward of the first completion, then those after each step.
fn completions(rewards: &[&[f64]]) -> Value {
    let sample = |rewards: &&[f64]| {
        json!({
            "initial_completion_reward": rewards[0],
            "step_completion_rewards": rewards[1..],
            "reward": rewards[rewards.len() - 1],
        })
    };
    rewards.iter().map(sample).collect()
}

const TURNS: [&[f64]; 3] =
    [&[0.50, 0.45, 0.55, 0.70, 0.80], &[0.60, 0.70, 0.55, 0.50, 0.40], &[0.40, 0.35, 0.45, 0.50, 0.60]];

fn turning(settings: Value) -> InMemory {
    given("turning_point_grpo", settings, completions(&TURNS))
}

#[test]
fn the_numbers_of_the_section() {
    let given = turning(json!({}));
    let wanted = [
        ("r0", [-0.05, 0.35, 0.15, 0.1], [-0.706108193, 1.120212603, 1.223246706, 0.706357576]),
        ("r1", [0.1, -0.3, -0.05, -0.1], [1.412216387, -1.306914704, -1.223246706, -1.412715152]),
        ("r2", [-0.05, 0.1, 0.05, 0.1], [-0.706108193, 0.186702101, 0.0, 0.706357576]),
    ];
    for (rollout, rewards, advantage) in wanted {
        close(&signal(&given, rollout, "step_candidates"), &[0.0, 1.0, 0.0, 0.0]);
        close(&signal(&given, rollout, "step_turning_rewards"), &rewards);
        close(&advantages(&given, rollout), &advantage);
    }
    close(&signal(&given, "r2", "step_turns_round"), &[0.0; 4]);
    let all = turning(json!({ "balanced": false }));
    close(&signal(&all, "r2", "step_turning_rewards"), &[-0.05, 0.25, 0.05, 0.1]);
}

#[test]
fn without_turning_points_it_is_dense_grpo() {
    let never = json!({ "first_step": false, "eta": 0.0 });
    let dense = given("dense_grpo", json!({}), completions(&TURNS));
    for rollout in ["r0", "r1", "r2"] {
        assert_eq!(advantages(&turning(never.clone()), rollout), advantages(&dense, rollout));
    }
}

#[test]
fn a_sample_that_ends_where_it_began_turns_nowhere() {
    let flat: &[f64] = &[0.5, 0.7, 0.4, 0.5];
    let given =
        given("turning_point_grpo", json!({ "consistency_first": false }), completions(&[flat, flat]));
    close(&signal(&given, "r0", "step_candidates"), &[0.0; 3]);
    close(&advantages(&given, "r0"), &[0.0; 3]);
}

#[test]
fn bonuses_go_on_where_they_are_propagated() {
    let up: &[f64] = &[0.1, 0.3, 0.2, 0.6];
    let settings = json!({ "propagate": true, "balanced": false });
    let given = given("turning_point_grpo", settings, completions(&[up]));
    // The first step goes up, and so does all that follows.
    close(&signal(&given, "r0", "step_bonuses"), &[0.5, 0.3, 0.4]);
}

const GAINS: [&[f64]; 3] = [&[0.2, 0.25, 0.40, 0.35], &[0.2, 0.15, 0.30, 0.50], &[0.2, 0.30, 0.35, 0.20]];

#[test]
fn the_numbers_of_dense_grpo() {
    let dense = given("dense_grpo", json!({}), completions(&GAINS));
    let exact = given("dense_grpo", json!({ "eps": 0 }), completions(&GAINS));
    let wanted = [
        ("r0", [0.266833357, 0.705609956, -0.339452498], [0.267261242, 0.707106781, -0.339683110]),
        ("r1", [-1.334166783, 0.705609956, 1.357809991], [-1.336306210, 0.707106781, 1.358732441]),
        ("r2", [1.067333427, -1.411219913, -1.018357493], [1.069044968, -1.414213562, -1.019049331]),
    ];
    for (rollout, with_eps, without) in wanted {
        close(&advantages(&dense, rollout), &with_eps);
        close(&advantages(&exact, rollout), &without);
    }
    close(&signal(&dense, "r1", "step_gains"), &[-0.05, 0.15, 0.2]);
}

#[test]
fn gains_telescope_and_an_unscored_step_leaves_its_sample_out() {
    let mut rows = completions(&GAINS);
    rows[1]["step_completion_rewards"][1] = Value::Null;
    let dense = given("dense_grpo", json!({}), rows);
    assert!(!in_loss(&dense, "r1"));
    assert!((signal(&dense, "r2", "step_gains").iter().sum::<f64>()).abs() < 1e-12);
    let values = given("dense_grpo", json!({ "step_reward": "value", "eps": 0 }), completions(&GAINS));
    close(&advantages(&values, "r0")[..1], &[0.267261242]);
}
