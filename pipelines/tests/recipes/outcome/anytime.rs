//! brpo: slices of a chain of thought and answers at budgets.

use serde_json::{Value, json};

use super::missing;
use crate::support::{advantages, close, given, in_loss, list, signal};

/// Chains of thought of two tokens per budget with one-token answers, `per` at each budget.
fn chains(scores: &[&[f64]], budgets: usize) -> Value {
    scores
        .iter()
        .map(|scores| {
            let thought = 2 * budgets;
            let ends: Vec<usize> = (1..=budgets).map(|budget| 2 * budget).collect();
            let answers: Vec<usize> = (0..scores.len()).collect();
            json!({
                "token_mask": vec![true; thought + scores.len()],
                "budget_tokens": ends,
                "slice_ends": ends,
                "answer_starts": answers.iter().map(|answer| thought + answer).collect::<Vec<_>>(),
                "answer_ends": answers.iter().map(|answer| thought + answer + 1).collect::<Vec<_>>(),
                "answer_scores": scores,
            })
        })
        .collect()
}

#[test]
fn slices_by_the_sections_numbers() {
    let rollouts = chains(&[&[0.0, 0.25, 0.75, 1.0], &[0.0, 0.0, 0.5, 0.25]], 4);
    let given = given("brpo", json!({}), rollouts);
    let wanted = [
        ("slice_returns", [[0.5, 0.5, 0.4375, 0.25], [0.1875, 0.1875, 0.1875, 0.0625]]),
        ("slice_baseline_group", [[0.34375, 0.34375, 0.3125, 0.15625]; 2]),
        (
            "slice_advantages",
            [[0.15625, 0.2421875, 0.2395833333, 0.1171875], [-0.15625, -0.0703125, 0.03125, -0.0301339286]],
        ),
    ];
    for (name, wanted) in wanted {
        for (row, wanted) in wanted.iter().enumerate() {
            close(&signal(&given, &format!("r{row}"), name), wanted);
        }
    }
    let a = [0.15625, 0.15625, 0.2421875, 0.2421875, 0.2395833333, 0.2395833333, 0.1171875, 0.1171875];
    close(&advantages(&given, "r0")[..8], &a);
    // One answer per budget: less the group's mean at it.
    close(&advantages(&given, "r0")[8..], &[0.0, 0.125, 0.125, 0.375]);
}

#[test]
fn one_budget_is_the_reward_less_the_group_s_mean() {
    let rollouts = chains(&[&[1.0, 1.0], &[0.0, 1.0], &[0.0, 0.0]], 1);
    let anytime = given("brpo", json!({}), rollouts);
    let centred = given("dr_grpo", json!({}), super::rewarded(&[1.0, 0.5, 0.0]));
    for row in 0..3 {
        let id = format!("r{row}");
        close(&advantages(&anytime, &id)[..2], &advantages(&centred, &id));
    }
    // Answers against the others of the same cut.
    close(&advantages(&anytime, "r1")[2..], &[-0.5, 0.5]);
}

#[test]
fn probabilities_and_baselines_by_name() {
    let rollouts = || chains(&[&[1.0, 0.0], &[0.0, 0.0]], 2);
    for (kind, wanted) in [("uniform", [0.5, 0.5]), ("linear", [1.0 / 3.0, 2.0 / 3.0]), ("base", [0.0, 1.0])]
    {
        let given = given("brpo", json!({"probability_kind": kind}), rollouts());
        close(&signal(&given, "r0", "budget_probabilities"), &wanted);
    }
    let returns = given("brpo", json!({"variance_reduction": "none"}), rollouts());
    close(&advantages(&returns, "r0")[..4], &[0.5, 0.5, 0.0, 0.0]);
    let answers = given("brpo", json!({"variance_reduction": "notrain"}), rollouts());
    close(&advantages(&answers, "r0"), &[0.0, 0.0, 0.0, 0.0, 0.5, 0.0]);
    let last = given("brpo", json!({"summary_method": "grpo"}), rollouts());
    assert_eq!(list(&last, "r0", "token_weights"), [1.0, 1.0, 1.0, 1.0, 0.0, 1.0]);
}

#[test]
fn early_ends_templates_and_missing_scores() {
    let mut rollouts = chains(&[&[1.0, 1.0, 0.0, 1.0], &[0.0, 0.0, 0.0, 1.0]], 2);
    let rows = rollouts.as_array_mut().unwrap();
    // The first chain ends within the first budget; a template token stands before its last answer.
    rows[0]["slice_ends"] = json!([1]);
    rows[0]["token_mask"] = json!([true, true, true, true, true, true, false, true]);
    rows[0]["answer_starts"] = json!([1, 2, 3, 7]);
    rows[0]["answer_ends"] = json!([2, 3, 4, 8]);
    let early = given("brpo", json!({}), rollouts.clone());
    // Its answers are one pool, and trainable tokens outside of everything get 0.
    let slice = signal(&early, "r0", "slice_advantages")[0];
    close(&advantages(&early, "r0"), &[slice, 0.25, 0.25, -0.75, 0.0, 0.0, 0.0, 0.25]);
    rollouts[1]["answer_scores"] = json!([0.0, null, 0.0, 1.0]);
    let unknown = given("brpo", json!({}), rollouts);
    assert!(in_loss(&unknown, "r0") && !in_loss(&unknown, "r1"));
    missing("brpo", json!({}), super::rewarded(&[1.0]), "");
}
