//! TP-GRPO.

use serde_json::{Value, json};

use super::{advantages, steps};
use crate::support::{close, given, in_loss};

fn group(verdicts: [Value; 4]) -> Value {
    let rewards = [1.0, 1.0, 0.0, 0.0];
    let rows = verdicts.into_iter().zip(rewards).map(|(verdicts, reward)| {
        let judged = verdicts.as_array().map_or(1, Vec::len);
        steps(&vec![1; judged], json!({ "reward": reward, "step_correct": verdicts }))
    });
    rows.collect()
}

#[test]
fn the_numbers_of_the_section() {
    let rows = group([
        json!([true, false, false, true]),
        json!([true]),
        // Mismatching steps of a wrong rollout are right, matching ones wrong.
        json!([true, true, false]),
        json!([false]),
    ]);
    for form in ["closed", "summed"] {
        let given = given("tp_grpo", json!({ "ddof": 0, "eps": 0, "form": form }), rows.clone());
        close(&advantages(&given, "r0"), &[1.0, 0.75, 0.75, 1.0]);
        close(&advantages(&given, "r1"), &[1.0]);
        close(&advantages(&given, "r2"), &[0.0, 0.0, -1.0]);
        close(&advantages(&given, "r3"), &[-1.0]);
    }
}

#[test]
fn equal_outcomes_leave_the_wrong_steps_of_right_rollouts() {
    let rows = |reward: f64| {
        json!([
            steps(&[1, 1], json!({ "reward": reward, "step_correct": [true, false] })),
            steps(&[1], json!({ "reward": reward, "step_correct": [true] })),
        ])
    };
    let right = given("tp_grpo", json!({}), rows(1.0));
    close(&advantages(&right, "r0"), &[0.0, -0.5]);
    close(&advantages(&right, "r1"), &[0.0]);
    let wrong = given("tp_grpo", json!({}), rows(0.0));
    close(&advantages(&wrong, "r0"), &[0.0, 0.0]);
}

#[test]
fn what_was_not_judged_has_the_credit_of_the_outcome() {
    let rows = group([json!([null, false]), json!([true]), json!(null), json!([true])]);
    let given_ = given("tp_grpo", json!({ "ddof": 0, "eps": 0 }), rows);
    close(&advantages(&given_, "r0"), &[1.0, 0.75]);
    assert!(in_loss(&given_, "r2"));
    close(&advantages(&given_, "r2"), &[-1.0]);
    // A rollout without steps too.
    let without = group([json!([false]), json!([true]), json!([true]), json!([])]);
    let given_ = given("tp_grpo", json!({ "ddof": 0, "eps": 0 }), without);
    close(&advantages(&given_, "r0"), &[0.75]);
    close(&advantages(&given_, "r3"), &[-1.0]);
}

#[test]
fn with_right_verdicts_everywhere_it_is_grpo() {
    let rows = group([json!([true, true]), json!([true]), json!([false]), json!([false])]);
    let (tp, grpo) = (given("tp_grpo", json!({}), rows.clone()), given("grpo", json!({}), rows));
    for rollout in ["r0", "r1", "r2", "r3"] {
        close(&advantages(&tp, rollout), &advantages(&grpo, rollout));
    }
}
