use serde_json::{Value, json};

use super::{lacks, signal, steps};
use crate::support::{close, given};

fn rollout() -> Value {
    json!([steps(
        &[1, 2, 1],
        json!({ "token_prm_logprobs": [1.2, -1.0, -2.0, 0.3], "token_ref_logprobs": [0.0, 0.0, 0.0, -0.5] })
    )])
}

#[test]
fn the_numbers_of_the_section() {
    let given_all = given("implicit_prm", json!({}), rollout());
    close(&signal(&given_all, "r0", "step_rewards"), &[0.06, -0.15, 0.04]);
    close(&signal(&given_all, "r0", "step_cumulative"), &[0.06, -0.09, -0.05]);
    for (score, wanted) in [("min_single", -0.15), ("min_cumulative", -0.09), ("sum_single", -0.05)] {
        let given = given("implicit_prm", json!({ "score": score }), rollout());
        close(&signal(&given, "r0", "rewards"), &[wanted]);
    }
    let bare = given("implicit_prm", json!({ "reference": "none" }), rollout());
    close(&signal(&bare, "r0", "step_rewards"), &[0.06, -0.15, 0.015]);
    let tokens = given("implicit_prm", json!({ "granularity": "token" }), rollout());
    close(&signal(&tokens, "r0", "token_rewards"), &[0.06, -0.05, -0.1, 0.04]);
    close(&signal(&tokens, "r0", "score_min_single"), &[-0.1]);
}

#[test]
fn one_step_is_the_outcome_and_masked_tokens_do_not_count() {
    let one = json!([{
        "token_mask": [true, false, true], "step_ends": [3],
        "token_prm_logprobs": [1.0, 50.0, 1.0], "token_ref_logprobs": [0.0, 0.0, 0.0],
    }]);
    let given = given("implicit_prm", json!({}), one);
    for name in ["step_rewards", "step_cumulative", "score_min_cumulative", "rewards"] {
        close(&signal(&given, "r0", name), &[0.1]);
    }
}

#[test]
fn the_error_of_a_missing_column_names_its_provider() {
    let bare = json!([steps(&[1], json!({ "token_prm_logprobs": [0.0] }))]);
    lacks("implicit_prm", json!({}), bare, "token_ref_logprobs", "reference policy");
}
