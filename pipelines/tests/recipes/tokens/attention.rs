//! preplan_anchor and flowtracer.

use serde_json::{Value, json};

use super::{group_of_four, same_as};
use crate::support::{advantages, close, given, in_loss, signal, try_given};

const LOCAL: [f64; 21] = [
    1.0, 0.5, 0.5, 0.1, 0.6, 0.3, 0.4, 0.1, 0.4, 0.1, 0.05, 0.05, 0.1, 0.5, 0.3, 0.3, 0.1, 0.1, 0.1, 0.2, 0.2,
];
const GLOBAL: [f64; 21] = [
    1.0, 0.8, 0.2, 0.36, 0.5, 0.2, 0.2, 0.5, 0.1, 0.2, 0.1, 0.6, 0.1, 0.1, 0.1, 0.1, 0.4, 0.1, 0.2, 0.1, 0.1,
];

/// The section's rollout of six tokens, and one that earns nothing.
fn rollouts() -> Value {
    let rollout = |reward: i32| {
        json!({
            "reward": reward, "token_mask": [true, true, true, true, true, true],
            "attention_local": LOCAL.to_vec(), "attention_global": GLOBAL.to_vec(),
        })
    };
    json!([rollout(1), rollout(0)])
}

fn settings(scheme: &str, more: Value) -> Value {
    let mut settings = json!({ "scheme": scheme, "window": 3, "nearest": 2, "farthest": 4, "scale": "none" });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

/// The numeric check of the section: jumps 0.5, 0.3, 1.0, 0.8, 0.9 and 0 at the last token, of which the top
/// two are chosen, and FAI 0.2, 0.5, 0.1, 0.2, 0, 0, of which the first is 0.22 here, so that no two are equal.
#[test]
fn the_two_plain_schemes() {
    let got = given("preplan_anchor", settings("local_chunk", json!({})), rollouts());
    close(&signal(&got, "r0", "token_jumps"), &[0.5, 0.3, 1.0, 0.8, 0.9, 0.0]);
    close(&advantages(&got, "r0"), &[0.5, 0.5, 0.75, 0.5, 0.75, 0.5]);
    close(&advantages(&got, "r1"), &[-0.5, -0.5, -0.75, -0.5, -0.75, -0.5]);
    let got = given("preplan_anchor", settings("global_anchor", json!({})), rollouts());
    close(&advantages(&got, "r0"), &[0.75, 0.75, 0.5, 0.5, 0.5, 0.5]);
    // Five of six would be chosen, but nothing returns to the last two.
    let got = given("preplan_anchor", settings("global_anchor", json!({ "share": 0.9 })), rollouts());
    close(&advantages(&got, "r0"), &[0.75, 0.75, 0.75, 0.75, 0.5, 0.5]);
}

/// WAAD is 0, 0.5, 0.8, 1.8, 1.0, 1.9. With a share of 0.7, tokens 0 to 3 are anchors; with a bound of 1 on
/// the look-back and of 0.3 on jumps, 1 (introduced by 0) and 2 (by 0 too, or with one token before by 1) are
/// dominated.
#[test]
fn anchors_share_with_what_introduces_them() {
    let coupled = |more: Value| {
        let mut all = json!({ "share": 0.7, "near_distance": 1.0, "least_jump": 0.3, "alpha": 0.4 });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        signal(&given("preplan_anchor", settings("coupled", all), rollouts()), "r0", "token_gamma")
    };
    close(&coupled(json!({})), &[1.7, 1.3, 1.3, 1.5, 1.0, 1.0]);
    close(&coupled(json!({ "before": 1 })), &[1.7, 1.5, 1.3, 1.5, 1.0, 1.0]);
    close(&coupled(json!({ "least_jump": 0.4, "before": 1 })), &[1.7, 1.3, 1.5, 1.5, 1.0, 1.0]);
    close(&coupled(json!({ "before": 0 })), &[1.5, 1.5, 1.5, 1.5, 1.0, 1.0]);
}

/// The thresholds that the paper leaves open: the median look-back is 0.9, and the least of the top 0.4 of
/// jumps is the 0.6 quantile, 0.8. No anchor is dominated then.
#[test]
fn the_guessed_thresholds() {
    let got = given("preplan_anchor", settings("coupled", json!({})), rollouts());
    close(&signal(&got, "r0", "token_gamma"), &[1.5, 1.5, 1.0, 1.0, 1.0, 1.0]);
    let lower = json!({ "share": 0.7 });
    let got = given("preplan_anchor", settings("coupled", lower), rollouts());
    // The 0.3 quantile of the jumps is 0.4: token 0 introduces 1 and 2.
    close(&signal(&got, "r0", "token_gamma"), &[1.75, 1.25, 1.25, 1.5, 1.0, 1.0]);
}

#[test]
fn with_amplification_1_they_are_grpo() {
    for scheme in ["local_chunk", "global_anchor", "coupled"] {
        let got = given("preplan_anchor", json!({ "scheme": scheme, "amplification": 1 }), rollouts());
        same_as("grpo", json!({}), &got, &rollouts());
    }
    let rollouts = group_of_four(|_| json!({ "token_flow": [0.1, 0.9, 0.2, 1.0] }));
    same_as(
        "grpo",
        json!({}),
        &given("flowtracer", json!({ "amplification": 1 }), rollouts.clone()),
        &rollouts,
    );
}

/// A short rollout has no token that later ones could return to.
#[test]
fn a_short_rollout_has_no_anchors() {
    let got = given("preplan_anchor", json!({ "scheme": "global_anchor", "scale": "none" }), rollouts());
    close(&advantages(&got, "r0"), &[0.5; 6]);
}

/// Judged signals need no attention; a rollout whose judgement failed is not trained on.
#[test]
fn judged_signals_take_the_place_of_attention() {
    let judged = group_of_four(|i| {
        if i == 3 {
            return json!({ "token_waad": null, "token_fai": null });
        }
        json!({ "token_waad": [0, 4, 1, 1], "token_fai": [0.1, 0.2, 0.3, 0.05] })
    });
    let got = given(
        "preplan_anchor",
        json!({ "scheme": "local_chunk", "share": 0.5, "scale": "none" }),
        judged.clone(),
    );
    close(&advantages(&got, "r0"), &[1.125, 1.125, 0.75, 0.75]);
    assert!(!in_loss(&got, "r3"));
    let got = given("preplan_anchor", json!({ "share": 0.5, "scale": "none" }), judged);
    assert!(in_loss(&got, "r0") && !in_loss(&got, "r3"));
    // Beside the judged signals the attention is not looked at, whatever it holds.
    let both = group_of_four(|_| json!({ "token_flow": [0.1, 0.9, 0.2, 1.0], "attention_mean": [1, 2] }));
    let got = given("flowtracer", json!({ "scale": "none", "share": 0.5 }), both);
    close(&advantages(&got, "r0"), &[0.75, 1.125, 0.75, 1.125]);
}

/// The numeric check of the section: tokens 0 and 1 are the prompt.
#[test]
fn flow_to_the_answer() {
    let attention = [1.0, 0.0, 1.0, 0.6, 0.4, 0.0, 0.2, 0.0, 0.8, 0.0, 0.1, 0.0, 0.2, 0.7, 0.0];
    let rollouts = group_of_four(|i| {
        let mut attention = attention.to_vec();
        if i == 3 {
            // Nothing of the prompt is looked at.
            [3, 4, 6, 10].into_iter().for_each(|weight| attention[weight] = 0.0);
        }
        json!({ "token_ids": [5, 6, 7], "token_mask": [true, true, true], "attention_mean": attention })
    });
    let settings = json!({ "answer_tokens": 1, "share": 0.7, "scale": "none" });
    let got = given("flowtracer", settings, rollouts.clone());
    // Flow 0.82758621, 0.71037508, 1.0: the answer and what comes straight from the question.
    close(&advantages(&got, "r0"), &[1.125, 0.75, 1.125]);
    close(&advantages(&got, "r3"), &[-0.25; 3]);
    assert!(in_loss(&got, "r3"), "without a flow nothing is amplified");
    let flow = meed_operators::signals::AttentionFlow { threshold: 0.0, answer_tokens: 1, answer: None };
    let added = meed_operators::signals::AddSignals::apply(&flow, &got.unit).unwrap();
    let first = arrow::array::AsArray::as_list::<i32>(&added[0]).value(0);
    let first: &arrow::array::Float64Array = arrow::array::AsArray::as_primitive(&first);
    close(first.values(), &[0.82758621, 0.71037508, 1.0]);
    // The answer marked by a column.
    let mut marked = rollouts;
    for rollout in marked.as_array_mut().unwrap() {
        rollout["token_is_answer"] = json!([false, true, false]);
    }
    let settings = json!({ "answer": "token_is_answer", "share": 0.4, "scale": "none" });
    let got = given("flowtracer", settings, marked);
    close(&advantages(&got, "r0"), &[0.75, 1.125, 0.75]);
}

#[test]
fn what_is_missing_or_misshapen_is_said() {
    let plain = || group_of_four(|_| json!({}));
    for (recipe, column) in [("preplan_anchor", "attention_local"), ("flowtracer", "attention_mean")] {
        let error = try_given(recipe, json!({}), plain()).err().unwrap();
        assert!(error.to_string().contains(column), "{error}");
        assert!(error.hint().contains("attention judge"), "{}", error.hint());
    }
    let wrong = |attention: Value| {
        let rollouts = group_of_four(|_| json!({ "attention_mean": attention }));
        try_given("flowtracer", json!({}), rollouts).err().unwrap().to_string()
    };
    assert!(wrong(json!([1.0, 0.5])).contains("no lower triangle"));
    assert!(wrong(json!([1.0, 0.5, 0.5])).contains("over 2 tokens, but the rollout has 4"));
    assert!(wrong(json!([1.0, 0.5, null])).contains("null"));
}
