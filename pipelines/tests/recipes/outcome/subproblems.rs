//! scrl: spans of subproblems.

use serde_json::{Value, json};

use super::{missing, same};
use crate::support::{advantages, close, given, in_loss, signal};

/// Curriculum rollouts of four subproblems, two tokens each, with a token before and after them.
fn curriculum(correct: &[[u8; 4]]) -> Value {
    correct
        .iter()
        .map(|correct| {
            json!({
                "token_mask": vec![true; 10],
                "subproblem_starts": [1, 3, 5, 7],
                "subproblem_ends": [3, 5, 7, 9],
                "subproblem_correct": correct.map(|right| right == 1),
            })
        })
        .collect()
}

const CHECK: [[u8; 4]; 4] = [[1, 1, 0, 1], [1, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]];

#[test]
fn credit_is_void_after_the_first_mistake() {
    let given = given("scrl", json!({}), curriculum(&CHECK));
    let rewards = [[1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [1.0; 4], [0.0; 4]];
    let wanted = [
        [0.499999, 0.8660239, -0.499999, -0.499999],
        [0.499999, -0.8660239, -0.499999, -0.499999],
        [0.499999, 0.8660239, 1.499997, 1.499997],
        [-1.499997, -0.8660239, -0.499999, -0.499999],
    ];
    for (row, (rewards, wanted)) in rewards.iter().zip(wanted).enumerate() {
        let id = format!("r{row}");
        close(&signal(&given, &id, "subproblem_rewards"), rewards);
        close(&signal(&given, &id, "subproblem_advantages"), &wanted);
        let [a, b, c, d] = wanted;
        close(&advantages(&given, &id), &[0.0, a, a, b, b, c, c, d, d, 0.0]);
    }
    let population = crate::support::given("scrl", json!({"ddof": 0}), curriculum(&CHECK));
    close(
        &signal(&population, "r2", "subproblem_advantages"),
        &[0.57734894, 0.999998, 1.73204681, 1.73204681],
    );
}

#[test]
fn a_broken_format_is_wrong_everywhere_and_gets_nothing() {
    let mut rollouts = curriculum(&CHECK);
    for (row, rollout) in rollouts.as_array_mut().unwrap().iter_mut().enumerate() {
        rollout["format_ok"] = json!(row != 2);
    }
    let given = given("scrl", json!({}), rollouts);
    assert_eq!(signal(&given, "r2", "subproblem_rewards"), [0.0; 4]);
    close(&advantages(&given, "r2"), &[0.0; 10]);
    // Two of four are right at the first subproblem.
    close(&signal(&given, "r0", "subproblem_advantages")[..1], &[0.8660239]);
}

#[test]
fn missing_spans_environment_tokens_and_missing_verdicts() {
    let mut rollouts = curriculum(&CHECK);
    let rows = rollouts.as_array_mut().unwrap();
    // The second rollout stops after its first subproblem: the others are empty spans.
    rows[1]["subproblem_starts"] = json!([1, 3, 3, 3]);
    rows[1]["subproblem_ends"] = json!([3, 3, 3, 3]);
    rows[1]["token_mask"] = json!([true, true, false, true]);
    rows[3]["subproblem_correct"] = json!([true, null, false, false]);
    let given = given("scrl", json!({}), rollouts);
    let first = signal(&given, "r1", "subproblem_advantages")[0];
    close(&advantages(&given, "r1"), &[0.0, first, 0.0, 0.0]);
    assert!(!in_loss(&given, "r3") && in_loss(&given, "r1"));
}

#[test]
fn rollouts_on_the_original_prompt_are_a_group_of_their_own() {
    let mut rollouts = curriculum(&CHECK);
    let rows = rollouts.as_array_mut().unwrap();
    for row in rows.iter_mut() {
        row["prompt_kind"] = json!("curriculum");
    }
    for reward in [1.0, 0.0, 0.0] {
        rows.push(json!({
            "token_mask": [true, true], "prompt_kind": "original", "reward": reward,
            "subproblem_starts": [], "subproblem_ends": [], "subproblem_correct": [],
        }));
    }
    let mixed = given("scrl", json!({"mixed": true}), rollouts);
    let alone = given("scrl", json!({}), curriculum(&CHECK));
    for row in 0..4 {
        let id = format!("r{row}");
        close(&advantages(&mixed, &id), &advantages(&alone, &id));
    }
    let grpo = given("grpo", json!({}), super::rewarded(&[1.0, 0.0, 0.0]));
    for row in 0..3 {
        close(&advantages(&mixed, &format!("r{}", row + 4)), &advantages(&grpo, &format!("r{row}")));
    }
}

#[test]
fn one_subproblem_over_the_whole_response_is_grpo() {
    let rollouts: Value = [1.0, 0.0, 0.0]
        .iter()
        .map(|reward| {
            json!({
                "reward": reward, "token_mask": [true, true, true], "subproblem_starts": [0],
                "subproblem_ends": [3], "subproblem_correct": [*reward == 1.0],
            })
        })
        .collect();
    same("scrl", json!({}), "grpo", json!({}), rollouts);
    missing("scrl", json!({}), super::rewarded(&[1.0]), "subproblem");
}
