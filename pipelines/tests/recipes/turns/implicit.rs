//! iStar and ITPO: the sections' checks and their edge cases.

use serde_json::{Value, json};

use super::{of_policy, short_turns, with};
use crate::support::{advantages, close, given, in_loss, signal};

/// One token per policy step with this log-ratio, and none for the environment.
fn scored(log_ratios: &[f64], reward: f64, reference: &str) -> Value {
    let tokens = 2 * log_ratios.len() - 1;
    let at = |t: usize| if t.is_multiple_of(2) { log_ratios[t / 2] - 1.0 } else { -1.0 };
    let row = with(short_turns(log_ratios.len()), "token_prm_logprobs", (0..tokens).map(at).collect());
    with(with(row, reference, vec![-1.0; tokens].into()), "reward", json!(reward))
}

fn section() -> Value {
    let row = |sums: &[f64], reward: f64| scored(sums, reward, "token_old_logprobs");
    json!([row(&[1.0, 0.8], 1.0), row(&[-0.4, -0.4], 0.0)])
}

#[test]
fn istar_in_the_codes_and_the_papers_form() {
    let code = given("istar", json!({"step_statistics": "first"}), section());
    close(&signal(&code, "r0", "turn_rewards"), &[0.05, 0.04]);
    close(&of_policy(advantages(&code, "r0")), &[1.07, 1.05]);
    close(&of_policy(advantages(&code, "r1")), &[-1.07, -1.07]);
    let paper = given("istar", json!({"estimator": "grpo_std"}), section());
    close(&of_policy(advantages(&paper, "r0")), &[1.700479, 1.435579]);
    close(&of_policy(advantages(&paper, "r1")), &[-1.568029, -1.568029]);
}

#[test]
fn istar_without_steps_is_rloo_and_a_lone_value_stays() {
    let outcome = given("istar", json!({"step_weight": 0}), section());
    let rloo = given("rloo", json!({}), section());
    for id in ["r0", "r1"] {
        close(&advantages(&outcome, id), &advantages(&rloo, id));
    }
    let alone = given("istar", json!({}), json!([scored(&[1.0], 1.0, "token_old_logprobs")]));
    close(&advantages(&alone, "r0"), &[1.05]);
}

#[test]
fn itpos_shares_and_what_they_are_compared_with() {
    // Log-ratios are scores over the scale of 1, turns have one token each.
    let row = |scores: &[f64], reward: f64| scored(scores, reward, "token_ref_logprobs");
    let rows = json!([row(&[0.2, 0.5, -0.1], 0.8), row(&[0.0, 0.0], 0.2)]);
    let given = given("itpo", json!({"beta": 1, "outcome_weight": 0}), rows);
    close(&signal(&given, "r0", "turn_shares"), &[0.31382374, 0.48173922, 0.20443704]);
    close(&signal(&given, "r0", "turn_rewards"), &[0.25105899, 0.38539137, 0.16354963]);
    close(&signal(&given, "r0", "turn_compared"), &[0.13545132, 0.40411608, -0.0395674]);
    close(&signal(&given, "r1", "turn_compared"), &[-0.16666666, -0.16666666]);
    close(&of_policy(advantages(&given, "r0")), &[1.22764463, 0.84538105, -0.29509404]);
    close(&of_policy(advantages(&given, "r1")), &[-1.12414477, -0.65378687]);
}

#[test]
fn itpo_adds_the_leave_one_out_outcome_at_the_end() {
    let row = |reward: f64| scored(&[0.0, 0.0], reward, "token_ref_logprobs");
    let given = given("itpo", json!({"whiten": "none"}), json!([row(1.0), row(0.0), row(0.5)]));
    // Turns share equally: 1.5 * 0.5 - 0.75 / 2 and the outcome 1 - 0.25.
    close(&of_policy(advantages(&given, "r0")), &[0.375 + 0.375 + 0.75, 0.375 + 0.75]);
}

#[test]
fn a_token_without_a_score_leaves_its_rollout_out_of_the_statistics() {
    for (recipe, reference) in [("istar", "token_old_logprobs"), ("itpo", "token_ref_logprobs")] {
        let mut rows = json!([scored(&[1.0, 0.8], 1.0, reference), scored(&[-0.4, -0.4], 0.0, reference)]);
        let without = given(recipe, json!({}), rows.clone());
        let mut unknown = scored(&[3.0, 5.0], 0.5, reference);
        unknown["token_prm_logprobs"][0] = json!(null);
        rows.as_array_mut().unwrap().push(unknown);
        let with = given(recipe, json!({}), rows);
        assert!(!in_loss(&with, "r2"));
        for id in ["r0", "r1"] {
            close(&advantages(&with, id), &advantages(&without, id));
        }
    }
}

#[test]
fn itpo_alone_has_no_credit() {
    let alone =
        given("itpo", json!({"whiten": "none"}), json!([scored(&[0.3, 0.1], 1.0, "token_ref_logprobs")]));
    close(&advantages(&alone, "r0"), &[0.0, 0.0, 0.0]);
}
