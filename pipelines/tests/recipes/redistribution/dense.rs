//! Token rewards: red, rto, scar; shares of steps: acpo; and rewards in stages: prs.

use serde_json::{Value, json};

use crate::support::{advantages, close, given, in_loss, signal};

/// Returns instead of a critic, so that advantages are sums of rewards.
fn plain(mut settings: Value) -> Value {
    settings["values"] = json!("none");
    settings
}

/// The numeric check of the section.
#[test]
fn red_has_differences_of_prefix_scores() {
    let rollouts = json!([{
        "token_mask": [true, true, true], "token_prefix_scores": [0.2, 0.1, 0.7], "prompt_score": 0.0,
    }]);
    let got = given("red", plain(json!({})), rollouts.clone());
    close(&signal(&got, "r0", "token_rewards"), &[0.2, -0.1, 0.6]);
    close(&advantages(&got, "r0"), &[0.7, 0.5, 0.6]);
    let half = given("red", plain(json!({"alpha": 0.5})), rollouts.clone());
    close(&signal(&half, "r0", "token_rewards"), &[0.1, -0.05, 0.3 + 0.35]);
    // With alpha 0 the whole score is at the end, as without redistribution.
    let none = given("red", plain(json!({"alpha": 0})), rollouts);
    close(&signal(&none, "r0", "token_rewards"), &[0.0, 0.0, 0.7]);
}

#[test]
fn red_passes_tokens_of_the_environment() {
    let rollouts = json!([{
        "token_mask": [true, false, true], "token_prefix_scores": [0.5, 0.25, 0.75], "prompt_score": 0.25,
    }]);
    let got = given("red", plain(json!({})), rollouts);
    close(&signal(&got, "r0", "token_rewards"), &[0.25, 0.0, 0.25]);
    close(&advantages(&got, "r0"), &[0.5, 0.0, 0.25]);
}

/// The numeric check of the section.
#[test]
fn rto_clips_what_dpo_says() {
    let rollouts = json!([{
        "reward": 2.3, "token_mask": [true, true, true],
        "token_dpo_logprobs": [-1.0, -0.4, -2.0], "token_ref_logprobs": [-1.2, -1.8, -0.5],
        "token_old_logprobs": [-1.1, -0.5, -1.9],
    }]);
    let got = given("rto", plain(json!({})), rollouts.clone());
    close(&signal(&got, "r0", "token_rewards"), &[0.009, 0.037, 2.264]);
    let dpo = given("rto", plain(json!({"divergence_coef": 0, "reward_clip": 0})), rollouts);
    close(&signal(&dpo, "r0", "token_rewards"), &[0.01, 0.05, -0.05]);
}

/// The numeric check of the section: three spans of two, one and two tokens.
fn spans() -> Value {
    json!([{
        "reward": 1.0, "token_mask": vec![true; 5], "span_ends": [2, 3, 5],
        "coalition_member_positions": [[], [0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]],
        "coalition_rewards": [0.0, 0.1, 0.2, 0.0, 0.6, 0.3, 0.2, 1.0],
    }])
}

#[test]
fn scar_rewards_the_ends_of_spans() {
    let got = given("scar", plain(json!({})), spans());
    close(&signal(&got, "r0", "token_rewards"), &[0.0, 0.4166666667, 0.4166666667, 0.0, 0.1666666667]);
    close(&advantages(&got, "r0"), &[1.0, 1.0, 0.5833333333, 0.1666666667, 0.1666666667]);
    let half = given("scar", plain(json!({"alpha": 0.5})), spans());
    close(&signal(&half, "r0", "token_rewards"), &[0.0, 0.2083333333, 0.2083333333, 0.0, 0.5833333333]);
}

/// With one span the reward is what it was: at the last token.
#[test]
fn scar_of_one_span_is_the_outcome() {
    let one = json!([{
        "reward": 0.7, "token_mask": [true, true, true], "span_ends": [3],
        "coalition_member_positions": [[], [0]], "coalition_rewards": [0.0, 0.7],
    }]);
    let got = given("scar", plain(json!({})), one);
    close(&signal(&got, "r0", "token_rewards"), &[0.0, 0.0, 0.7]);
}

#[test]
fn prs_counts_a_stage_only_after_those_before() {
    let row = |call: bool, format: bool, quality: Value| json!({"call_parsed": call, "format_ok": format, "answer_quality": quality});
    let rollouts = json!([
        row(true, true, json!(0.5)),
        row(true, false, json!(1.0)),
        row(false, true, json!(1.0)),
        row(true, true, json!(null)),
        row(true, false, json!(null)),
    ]);
    let got = given("prs", json!({"weights": [0.2, 0.3, 0.5]}), rollouts);
    let rewards: Vec<f64> = (0..5).flat_map(|i| signal(&got, &format!("r{i}"), "rewards")).collect();
    close(&rewards, &[0.75, 0.2, 0.0, f64::NAN, 0.2]);
    assert!(!in_loss(&got, "r3") && in_loss(&got, "r4"));
}

#[test]
fn acpo_shares_the_outcome() {
    let row = |attributions: Value| {
        let tokens = [true, true, true];
        json!({"reward": 0.5, "token_mask": tokens, "step_ends": [1, 2, 3], "step_attributions": attributions})
    };
    let rollouts = [json!([0.1, 0.3, 0.0]), json!([0.0, 0.0, 0.0]), json!([0.1, null, 0.3])].map(row);
    let got = given("acpo", json!({}), rollouts.to_vec().into());
    close(&signal(&got, "r0", "step_shaped_rewards"), &[0.125, 0.375, 0.0]);
    close(&signal(&got, "r1", "step_shaped_rewards"), &[0.0; 3]);
    assert_eq!(got.evaluated.in_baseline, [true, true, false]);
}
