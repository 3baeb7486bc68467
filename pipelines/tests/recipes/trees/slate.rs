//! SLATE: the section's check, and what it reduces to.

use serde_json::{Value, json};

use crate::support::{advantages, close, given, in_loss, signal};

fn candidates(verdicts: &[(f64, f64)], action: &str, step: usize) -> Value {
    let candidate = |&(think, act): &(f64, f64)| {
        json!({
            "judge_think": think, "judge_action": act, "action": action, "step_index": step,
            "token_mask": [true, true],
        })
    };
    verdicts.iter().map(candidate).collect()
}

const SEARCHES: [(f64, f64); 5] = [(1.0, 1.0), (0.0, 0.0), (1.0, 0.0), (0.0, -1.0), (1.0, 1.0)];

#[test]
fn slate_of_five_candidates() {
    let given = given("slate", json!({}), candidates(&SEARCHES, "search", 0));
    let wanted = [0.920357, -0.613572, 0.153393, -1.380536, 0.920357];
    let chances = [0.402665, 0.045005, 0.134618, 0.015046, 0.402665];
    for (at, id) in ["r0", "r1", "r2", "r3", "r4"].into_iter().enumerate() {
        close(&advantages(&given, id), &[wanted[at]; 2]);
        close(&signal(&given, id, "selection_probabilities"), &[chances[at]]);
    }
}

#[test]
fn slate_rewards_early_answers() {
    let given = given("slate", json!({}), candidates(&[(1.0, 1.0), (0.0, 1.0)], "answer", 1));
    close(&signal(&given, "r0", "rewards"), &[2.075]);
    close(&signal(&given, "r1", "rewards"), &[1.075]);
}

#[test]
fn slate_without_temperature_takes_the_best() {
    let given = given("slate", json!({ "temperature": 0 }), candidates(&SEARCHES, "search", 0));
    let chosen: Vec<f64> =
        (0..5).flat_map(|at| signal(&given, &format!("r{at}"), "selection_probabilities")).collect();
    close(&chosen, &[1.0, 0.0, 0.0, 0.0, 0.0]);
}

/// Of searches, the sum of the verdicts is the outcome that GRPO compares.
#[test]
fn slate_of_searches_is_grpo() {
    let mut rollouts = candidates(&SEARCHES, "search", 2);
    for (row, (think, act)) in rollouts.as_array_mut().unwrap().iter_mut().zip(SEARCHES) {
        row["reward"] = json!(think + act);
    }
    let (slate, grpo) = (given("slate", json!({}), rollouts.clone()), given("grpo", json!({}), rollouts));
    for id in ["r0", "r1", "r2", "r3", "r4"] {
        close(&advantages(&slate, id), &advantages(&grpo, id));
    }
}

/// Rollouts of the sampler, whose judge counted everything, carry a reward alone.
#[test]
fn slate_without_verdicts_takes_the_reward() {
    let rollouts = json!([{ "reward": 2.0, "token_mask": [true] }, { "reward": 0.0, "token_mask": [true] }]);
    let given = given("slate", json!({}), rollouts);
    close(&signal(&given, "r0", "rewards"), &[2.0]);
    close(&advantages(&given, "r1"), &[-0.7071063]);
}

#[test]
fn slate_leaves_out_what_was_not_judged() {
    let mut rollouts = candidates(&SEARCHES, "search", 0);
    rollouts[1]["judge_think"] = Value::Null;
    let given = given("slate", json!({}), rollouts);
    assert!(!in_loss(&given, "r1"));
    assert!(in_loss(&given, "r0"));
}
