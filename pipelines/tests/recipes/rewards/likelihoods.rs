//! PromptEcho, DeScore, EditScore, RewardDance, PIT and AVAR: rewards from judges and models.

use serde_json::{Value, json};

use super::of_all;
use crate::support::{advantages, close, given, in_loss, list, signal};

#[test]
fn promptecho_has_the_numbers_of_its_section() {
    let rows = json!([
        {"echo_logprobs": [-1.2, -0.5, -0.3, -0.8]}, {"echo_logprobs": [-0.5]}, {"echo_logprobs": [-0.9]},
        {"echo_logprobs": [-0.6]},
    ]);
    let result = given("promptecho", json!({}), rows);
    close(&of_all(&result, "rewards", 4), &[-0.7, -0.5, -0.9, -0.6]);
    for (rollout, wanted) in ["r0", "r1", "r2", "r3"].into_iter().zip([-0.025, 0.175, -0.225, 0.075]) {
        close(&advantages(&result, rollout), &[wanted]);
    }
}

#[test]
fn promptecho_drops_an_empty_prompt_and_reduces_to_grpo_without_a_deviation() {
    let result =
        given("promptecho", json!({}), json!([{"echo_logprobs": []}, {"echo_logprobs": [-0.5, null]}]));
    assert!(!in_loss(&result, "r0") && !in_loss(&result, "r1"));
    let echoes = json!([{"echo_logprobs": [-1.0]}, {"echo_logprobs": [-0.5]}]);
    let rewards = json!([{"reward": -1.0}, {"reward": -0.5}]);
    let grpo = given("grpo", json!({"scale": "none"}), rewards);
    let echo = given("promptecho", json!({}), echoes);
    assert_eq!(advantages(&echo, "r0"), advantages(&grpo, "r0"));
}

#[test]
fn descore_has_the_numbers_of_its_section() {
    let row = |characters: i64| json!({"dimension_correct": [true, true, true, false], "format_ok": true, "characters": characters});
    let rows = json!([row(1200), row(499), row(500), row(1500), row(2000)]);
    let result = given("descore", json!({}), rows);
    let base = 0.7 * 0.75 + 0.1;
    close(&of_all(&result, "rewards", 5), &[0.705, base, base + 0.04, base + 0.12, base + 0.2]);
}

fn pass(success: Value, preservation: Value, naturalness: Value, artifacts: Value) -> Value {
    json!({
        "pass_success_scores": success, "pass_preservation_scores": preservation,
        "pass_naturalness_scores": naturalness, "pass_artifact_scores": artifacts,
    })
}

#[test]
fn editscore_has_the_numbers_of_its_section() {
    let row = pass(json!([20.0, 10.0]), json!([15.0, 12.0]), json!([18.0, 25.0]), json!([22.0, 21.0]));
    let result = given("editscore", json!({}), json!([row]));
    let passes: Vec<f64> = signal(&result, "r0", "pass_consistency")
        .iter()
        .zip(signal(&result, "r0", "pass_quality"))
        .map(|(consistency, quality)| (consistency * quality).sqrt())
        .collect();
    close(&passes, &[6.572670690, 5.796550699]);
    close(&of_all(&result, "rewards", 1), &[6.184610694]);
    close(
        &of_all(&given("editscore", json!({"average": "first"}), json!([row])), "rewards", 1),
        &[6.244997998],
    );
}

#[test]
fn editscore_takes_what_it_cannot_read_for_the_middle() {
    let row = pass(json!([null]), json!([30.0]), json!([25.0]), json!([25.0]));
    let rows = json!([row]);
    close(&of_all(&given("editscore", json!({}), rows.clone()), "rewards", 1), &[50f64.sqrt()]);
    let row = pass(json!([25.0]), json!([25.0]), json!([26.0]), json!([-1.0]));
    let released = given("editscore", json!({"outside": "released"}), json!([row]));
    close(&of_all(&released, "rewards", 1), &[125f64.sqrt()]);
}

#[test]
fn editscore_clamps_its_advantage() {
    let rows: Vec<Value> = (0..40)
        .map(|i| {
            let x = json!([if i == 0 { 25.0 } else { 10.0 }]);
            pass(x.clone(), x.clone(), x.clone(), x)
        })
        .collect();
    close(&advantages(&given("editscore", json!({}), json!(rows)), "r0"), &[5.0]);
    let free = given("editscore", json!({"clamp": null}), json!(rows));
    close(&advantages(&free, "r0"), &[39f64.sqrt()]);
}

#[test]
fn rewarddance_has_the_numbers_of_its_section() {
    let result = given("rewarddance", json!({}), json!([{"yes_logit": 1.2, "no_logit": -0.4}]));
    close(&of_all(&result, "shaped_reward", 1), &[0.832018385]);
}

#[test]
fn rewarddance_takes_the_sample_with_the_most_wins_as_reference() {
    let row = |yes: [f64; 2]| json!({"rival_yes_logits": yes, "rival_no_logits": [0.0, 0.0]});
    let rows = json!([row([-1.0, 1.0]), row([1.0, 2.0]), row([-1.0, -1.0])]);
    let result = given("rewarddance", json!({"against": "others"}), rows);
    close(&of_all(&result, "wins", 3), &[1.0, 2.0, 0.0]);
    close(&of_all(&result, "is_reference", 3), &[0.0, 1.0, 0.0]);
    close(&of_all(&result, "shaped_reward", 3), &[0.5, 1.0, 0.0]);
}

#[test]
fn pit_compares_gaps_and_begins_with_easy_references() {
    let row = |gap: f64, own: bool, iteration: i64| {
        json!({
            "gap_reward": gap, "reference_from_policy": own, "iteration": iteration, "token_mask": [true],
            "group_id": format!("g{iteration}"), "rollout_id": format!("{iteration}{own}"),
        })
    };
    let rows = json!([row(0.5, false, 0), row(-0.5, true, 0), row(0.5, false, 3), row(-0.5, true, 3)]);
    let result = given("pit", json!({"baseline": "none", "stage_two": 3}), rows.clone());
    close(&advantages(&result, "0false"), &[0.5]);
    let weights =
        ["0false", "0true", "3false", "3true"].map(|rollout| list(&result, rollout, "token_weights")[0]);
    close(&weights, &[1.0, 0.0, 0.0, 1.0]);
    let grpo = given("grpo", json!({}), json!([{"reward": 0.5}, {"reward": -0.5}]));
    assert_eq!(advantages(&given("pit", json!({}), rows), "0false"), advantages(&grpo, "r0"));
}

#[test]
fn avar_rewards_attention_of_right_answers_only() {
    let row = |reward: f64| {
        json!({
            "reward": reward, "format_ok": true, "token_mask": [true, true, false],
            "token_image_attention": [0.4, 0.1, 0.9], "token_system_attention": [0.2, 0.1, 0.1],
        })
    };
    let rows = json!([row(1.0), row(0.0)]);
    let result = given("avar", json!({"attention_eps": 0.0}), rows.clone());
    close(&of_all(&result, "anchoring", 2), &[1.5, 1.5]);
    close(&of_all(&result, "rewards", 2), &[1.0 + 0.3 * 1.5 + 0.1, 0.1]);
    let total = given("avar", json!({"attention_eps": 0.0, "anchoring": "total"}), rows);
    close(&of_all(&total, "anchoring", 1), &[0.5 / 0.3]);
}

#[test]
fn rewarddance_has_no_share_of_wins_without_rivals() {
    let rows = json!([{"rival_yes_logits": [], "rival_no_logits": []}]);
    let result = given("rewarddance", json!({"against": "others"}), rows);
    close(&of_all(&result, "shaped_reward", 1), &[f64::NAN]);
    close(&of_all(&result, "is_reference", 1), &[1.0]);
}

#[test]
fn descore_has_no_reward_without_all_of_its_parts() {
    let row = |columns: Value| {
        let mut row = json!({"dimension_correct": [true], "format_ok": true, "characters": 10});
        row.as_object_mut().unwrap().extend(columns.as_object().unwrap().clone());
        row
    };
    let missing = [
        json!({"dimension_correct": [true, null]}),
        json!({"dimension_correct": []}),
        json!({"format_ok": null}),
        json!({"characters": null}),
    ];
    let rows: Vec<Value> = missing.into_iter().map(row).chain([row(json!({}))]).collect();
    let result = given("descore", json!({}), rows.into());
    for rollout in ["r0", "r1", "r2", "r3"] {
        close(&signal(&result, rollout, "rewards"), &[f64::NAN]);
        assert!(!in_loss(&result, rollout));
    }
    close(&signal(&result, "r4", "rewards"), &[0.8]);
}
