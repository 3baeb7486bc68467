//! hicra and ucas.

use serde_json::json;

use super::{group_of_four, same_as};
use crate::support::{advantages, close, given, in_loss, signal, try_given};

/// The numeric check of the section: amplified where right, softened where wrong.
#[test]
fn hicra_of_four_rollouts_that_plan_all_the_time() {
    let rollouts = group_of_four(|_| json!({ "token_planning": [true, true, true, true] }));
    let got = given("hicra", json!({}), rollouts);
    close(&advantages(&got, "r0"), &[1.7999964; 4]);
    close(&advantages(&got, "r1"), &[-0.3999992; 4]);
}

#[test]
fn hicra_changes_planning_tokens_only() {
    let rollouts = group_of_four(|i| json!({ "token_planning": [i == 0, true, null, false] }));
    let got = given("hicra", json!({ "scale": "none", "alpha": 0.5 }), rollouts);
    close(&advantages(&got, "r0"), &[1.125, 1.125, 0.75, 0.75]);
    close(&advantages(&got, "r1"), &[-0.25, -0.125, -0.25, -0.25]);
}

#[test]
fn hicra_without_planning_tokens_is_grpo() {
    let rollouts = group_of_four(|_| json!({ "token_planning": [false, false, false, false] }));
    same_as("grpo", json!({}), &given("hicra", json!({}), rollouts.clone()), &rollouts);
    let absent = group_of_four(
        |i| json!({ "token_planning": if i == 3 { json!([true, false, false, true]) } else { json!(null) } }),
    );
    let got = given("hicra", json!({ "scale": "none" }), absent);
    assert!(in_loss(&got, "r1"), "a rollout without tags plans nowhere");
    close(&advantages(&got, "r1"), &[-0.25; 4]);
    let error = try_given("hicra", json!({}), group_of_four(|_| json!({}))).err().unwrap();
    assert!(
        error.to_string().contains("token_planning") && error.hint().contains("strategic gram"),
        "{error}"
    );
}

/// Only the long rewarded rollout changes: at the tokens above the threshold, which is entropy 3 of 1, 2, 3, 4
/// (the value at int(0.7 * 4) = 2), and at planning tokens.
#[test]
fn hicra_as_the_code_has_it() {
    let rollouts = json!([
        { "reward": 1, "token_mask": [true, true, false, true, true], "token_entropies": [3, 1, 9, 4, 2] },
        { "reward": 1, "token_mask": [true, true], "token_entropies": [1, 2] },
        { "reward": 0, "token_mask": [true, true, true, true], "token_entropies": [1, 2, 3, 4] },
    ]);
    let settings = json!({ "variant": "code", "scale": "none" });
    let got = given("hicra", settings.clone(), rollouts.clone());
    let third = 1.0 / 3.0;
    close(&advantages(&got, "r0"), &[third, third, 0.0, 1.2 * third, third]);
    close(&advantages(&got, "r1"), &[third, third]);
    close(&advantages(&got, "r2"), &[-2.0 * third; 4]);
    let mut planned = rollouts;
    planned[0]["token_planning"] = json!([false, true, false, false, false]);
    let got = given("hicra", settings, planned);
    close(&advantages(&got, "r0"), &[third, 1.2 * third, 0.0, 1.2 * third, third]);
}

/// The numeric check of the section.
#[test]
fn ucas_of_four_rollouts() {
    let certainties = [10.0, 14.0, 9.0, 12.0];
    let rewards = [1, 0, 0, 1];
    let logits = [[20, 10], [15, 30], [12, 18], [25, 14]];
    let rollouts: serde_json::Value = (0..4)
        .map(|i| {
            json!({
                "reward": rewards[i],
                "token_mask": [true, true],
                "token_certainties": [certainties[i] - 4.0, 4.0],
                "token_logits": logits[i],
            })
        })
        .collect();
    let got = given("ucas", json!({}), rollouts.clone());
    for (i, modifier) in [1.15134816, 1.54353522, 0.70106646, 0.91891639].into_iter().enumerate() {
        close(&signal(&got, &format!("r{i}"), "modifier"), &[modifier]);
    }
    let wanted = [
        [0.97209503, 0.99709503],
        [-1.34923840, -1.38673840],
        [-0.61214031, -0.62714031],
        [0.75830356, 0.78580356],
    ];
    for (i, wanted) in wanted.iter().enumerate() {
        close(&advantages(&got, &format!("r{i}")), wanted);
    }
    let plain = json!({ "beta_positive": 0, "beta_negative": 0, "token_penalty": 0 });
    same_as("grpo", json!({}), &given("ucas", plain, rollouts.clone()), &rollouts);
}

#[test]
fn ucas_keeps_a_positive_advantage_from_falling_below_zero() {
    let rollouts = group_of_four(|i| json!({ "token_logits": [0, 4 * i, 4, 8] }));
    let settings = json!({ "beta_positive": 0, "beta_negative": 0, "token_penalty": 3, "scale": "none" });
    let got = given("ucas", settings, rollouts);
    close(&advantages(&got, "r0"), &[0.75, 0.75, 0.0, 0.0]);
    close(&advantages(&got, "r1"), &[-0.25, -1.25, -1.25, -2.25]);
}

/// The certainty of a group of one is not compared with anything, and its length does not matter.
#[test]
fn ucas_of_a_group_of_one() {
    let rollouts = json!([
        { "reward": 1, "token_mask": [true, true], "token_certainties": [30, 70], "token_logits": [1, 2] },
    ]);
    let got = given("ucas", json!({ "singleton": "raw", "token_penalty": 0 }), rollouts.clone());
    close(&signal(&got, "r0", "modifier"), &[1.0]);
    close(&advantages(&got, "r0"), &[1.0 / (1.0 + 1e-6); 2]);
    close(&advantages(&given("ucas", json!({}), rollouts), "r0"), &[0.0, -0.05]);
}

/// Environment tokens count in the sum, as in the reference, unless asked otherwise.
#[test]
fn ucas_sums_certainty_over_all_tokens() {
    let rollout = |reward: i32, outside: i32| {
        json!({
            "reward": reward, "token_mask": [true, false, true],
            "token_certainties": [3, outside, 3], "token_logits": [1, 1, 1],
        })
    };
    let rollouts = json!([rollout(1, 1), rollout(0, 9)]);
    let modifier = |over: &str| {
        signal(&given("ucas", json!({ "certainty_over": over }), rollouts.clone()), "r0", "modifier")
    };
    assert!(modifier("all")[0] > 1.0);
    close(&modifier("trainable"), &[1.0]);
    let error = try_given("ucas", json!({}), group_of_four(|_| json!({ "token_logits": [1, 2, 3, 4] })))
        .err()
        .unwrap();
    assert!(error.to_string().contains("token_certainties"), "{error}");
}
