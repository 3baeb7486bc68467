//! MAPO, TARL, CriticSearch and SCoRe: what judges and verifiers say of turns.

use serde_json::{Value, json};

use super::turns;
use crate::support::{advantages, close, given, in_loss, signal, try_given};

fn potentials(initial: Value, potentials: &[f64]) -> Value {
    let columns = json!({"initial_potential": initial, "turn_potentials": potentials});
    turns(&vec![1; potentials.len()], columns)
}

#[test]
fn mapo_has_the_numbers_of_its_section() {
    let rows = json!([potentials(json!(1.0), &[0.7, 0.8, 0.4]), potentials(json!(1.0), &[0.9, 0.5])]);
    let result = given("mapo", json!({}), rows);
    close(&signal(&result, "r0", "turn_progress"), &[0.3, -0.1, 0.4]);
    close(&signal(&result, "r0", "turn_returns"), &[0.534, 0.26, 0.4]);
    close(&signal(&result, "r1", "turn_returns"), &[0.46, 0.4]);
    close(&signal(&result, "r0", "turn_position_advantages"), &[0.999973, -0.999986, 0.0]);
    close(&signal(&result, "r0", "turn_batch_advantages"), &[0.412566, -1.650265, 0.928274]);
    close(&advantages(&result, "r0"), &[0.706270, 0.0, -1.325126, 0.0, 0.464137]);
    close(&advantages(&result, "r1"), &[-0.809411, 0.0, 0.964130]);
}

#[test]
fn mapo_leaves_out_dialogues_with_unknown_states_and_constant_progress_gives_nothing() {
    let mut unknown = potentials(json!(1.0), &[0.7, 0.8]);
    unknown["turn_potentials"][1] = json!(null);
    let even = || potentials(json!(1.0), &[0.5, 0.0]);
    let result = given("mapo", json!({}), json!([even(), even(), unknown, potentials(json!(null), &[0.1])]));
    close(&advantages(&result, "r0"), &[0.0, 0.0, 0.0]);
    assert!(!in_loss(&result, "r2") && !in_loss(&result, "r3"));
}

#[test]
fn tarl_compares_equal_turns() {
    let row = |reward: f64, scores: &[f64]| {
        turns(&vec![1; scores.len()], json!({"reward": reward, "turn_scores": scores}))
    };
    let rows = || json!([row(1.0, &[1.0, -1.0]), row(0.0, &[0.0, 1.0]), row(0.0, &[-1.0])]);
    let result = given("tarl", json!({}), rows());
    close(&signal(&result, "r0", "turn_shaped_rewards"), &[2.0, 0.0]);
    // Sample deviation of 2, 0, -1 about 1/3.
    let std = (7.0f64 / 3.0).sqrt() + 1e-6;
    close(&advantages(&result, "r0")[..1], &[(2.0 - 1.0 / 3.0) / std]);
    close(&advantages(&result, "r0")[2..], &[-0.7071058]);
    // Without the judge's scores it is GRPO at turns that all rollouts reach.
    let alone = given("tarl", json!({"turn_weight": 0.0}), rows());
    let grpo = given("grpo", json!({}), rows());
    close(&advantages(&alone, "r0")[..1], &advantages(&grpo, "r0")[..1]);
}

#[test]
fn critic_search_mixes_labels_and_outcome() {
    let row = |reward: f64, good: &[bool]| {
        turns(&vec![1; good.len()], json!({"reward": reward, "turn_good": good}))
    };
    let rows = || json!([row(1.0, &[true, false]), row(0.0, &[false, false])]);
    let result = given("critic_search", json!({"scale": "none"}), rows());
    close(&advantages(&result, "r0"), &[0.25 + 0.375, 0.0, 0.25 - 0.125]);
    let grpo = given("grpo", json!({}), rows());
    let alone = given("critic_search", json!({"alpha": 1.0}), rows());
    close(&advantages(&alone, "r1"), &advantages(&grpo, "r1"));
}

#[test]
fn score_shapes_the_second_attempt_by_its_progress() {
    let row = |rewards: &[f64]| turns(&vec![2; rewards.len()], json!({"turn_rewards": rewards}));
    let rows =
        || json!([row(&[0.0, 1.0]), row(&[1.0, 0.0]), row(&[1.0, 1.0]), row(&[0.0, 0.0]), row(&[1.0])]);
    let shaped = |settings: Value| {
        let result = given("score_two_attempt", settings, rows());
        ["r0", "r1", "r2", "r3", "r4"].map(|rollout| signal(&result, rollout, "turn_shaped_rewards"))
    };
    let [better, worse, right, wrong, alone] = shaped(json!({}));
    close(&better, &[0.0, 11.0]);
    close(&worse, &[1.0, -10.0]);
    close(&right, &[1.0, 1.0]);
    close(&wrong, &[0.0, 0.0]);
    close(&alone, &[1.0]);
    close(&shaped(json!({"stage": 1}))[0], &[0.0, 1.0]);
    close(&shaped(json!({"stage": 1}))[1], &[0.0, 0.0]);
    close(&shaped(json!({"alpha": 0}))[1], &[1.0, 0.0]);
    let centred = given("score_two_attempt", json!({"baseline": "group"}), rows());
    close(&advantages(&centred, "r0"), &[-0.6, -0.6, 0.0, 10.5, 10.5]);
    assert!(try_given("score_two_attempt", json!({"stage": 3}), rows()).is_err());
}

#[test]
fn attempts_and_equal_turns_are_counted_by_the_policys_turns() {
    // The environment speaks first in a turn of its own.
    let late = |values: Value, column: &str| {
        let mut row = json!({
            "reward": 0.0, "step_kinds": ["environment", "policy", "environment", "policy"],
            "step_turns": [0, 1, 1, 2], "step_ends": [1, 2, 3, 4], "token_mask": [false, true, false, true],
        });
        row[column] = values;
        row
    };
    let first = given(
        "score_two_attempt",
        json!({"stage": 1}),
        json!([late(json!([null, 1.0, 0.5]), "turn_rewards")]),
    );
    close(&advantages(&first, "r0"), &[0.0, 0.0, 0.0, 0.5]);
    let plain = turns(&[1, 1], json!({"reward": 0.0, "turn_scores": [1.0, -1.0]}));
    let rows = json!([late(json!([null, 0.0, 1.0]), "turn_scores"), plain]);
    let tarl = given("tarl", json!({"scale": "none"}), rows);
    close(&advantages(&tarl, "r0"), &[0.0, -0.5, 0.0, 1.0]);
    close(&advantages(&tarl, "r1"), &[0.5, 0.0, -1.0]);
}
