//! EduAlign, resume GRPO, PromptEnhancer and REG4Rec: weighted sums and means of scores.

use serde_json::json;

use super::of_all;
use crate::support::{advantages, close, given, in_loss};

fn all_advantages(given: &meed_pipelines::InMemory, count: usize) -> Vec<f64> {
    (0..count).flat_map(|number| advantages(given, &format!("r{number}"))).collect()
}

#[test]
fn edualign_has_the_numbers_of_its_section() {
    let row = |h: f64, p: f64, c: f64| json!({"helpfulness": h, "personalization": p, "creativity": c});
    let rollouts = json!([row(0.8, 0.6, 0.4), row(0.5, 0.5, 0.5), row(0.9, 0.3, 0.6)]);
    let result = given("edualign", json!({}), rollouts);
    close(&of_all(&result, "rewards", 3), &[0.6, 0.5, 0.6]);
    close(&all_advantages(&result, 3), &[0.5763520, -1.1527040, 0.5763520]);
}

#[test]
fn edualign_reads_only_what_it_weighs() {
    let rollouts = json!([{"helpfulness": 0.8, "creativity": 0.4}, {"helpfulness": null, "creativity": 0.4}]);
    let result = given("edualign", json!({"weights": [2.0, 0.0, 1.0]}), rollouts);
    close(&of_all(&result, "rewards", 2), &[2.0, f64::NAN]);
    assert_eq!([in_loss(&result, "r0"), in_loss(&result, "r1")], [true, false]);
}

#[test]
fn resume_grpo_has_the_numbers_of_its_section() {
    let rollouts =
        json!([{"criterion_scores": [1.0, 0.8, 1.0, 0.5]}, {"criterion_scores": [0.0, 0.6, 1.0, 0.2]}]);
    let result = given("resume_grpo", json!({}), rollouts);
    close(&of_all(&result, "rewards", 2), &[0.89, 0.4]);
    close(&all_advantages(&result, 2), &[0.7069028, -0.7069028]);
}

#[test]
fn resume_grpo_softens_penalties_and_needs_every_criterion() {
    let rollouts = json!([
        {"criterion_scores": [-1.0, 0.5, 1.0, -2.0]},
        {"criterion_scores": [-1.0, null, 1.0, -2.0]},
    ]);
    let result = given("resume_grpo", json!({"penalty_scale": 0.1}), rollouts);
    close(&of_all(&result, "rewards", 2), &[-0.04 + 0.15 + 0.2 - 0.02, f64::NAN]);
    assert!(!in_loss(&result, "r1"));
    let short = json!([{"criterion_scores": [1.0, 0.5]}]);
    let error =
        crate::support::try_given("resume_grpo", json!({}), short).err().expect("two of four criteria");
    assert!(error.to_string().contains("2 criterions"), "{error}");
}

#[test]
fn promptenhancer_has_the_numbers_of_its_section() {
    let rollouts = json!([
        {"keypoint_scores": [1.0, 1.0, 1.0, 0.0, null, null, null, null]},
        {"keypoint_scores": [1.0, 1.0, 0.0, 0.0, null, null, null, null]},
        {"keypoint_scores": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]},
        {"keypoint_scores": [0.0, null, null, null, null, null, null, 1.0]},
    ]);
    let result = given("promptenhancer", json!({}), rollouts);
    close(&of_all(&result, "rewards", 4), &[0.75, 0.5, 0.875, 0.5]);
    close(&all_advantages(&result, 4), &[0.4997335, -0.8328891, 1.1660448, -0.8328891]);
}

#[test]
fn promptenhancer_tells_what_does_not_apply_from_what_failed() {
    let row = |scores: serde_json::Value| {
        json!({
            "keypoint_scores": scores,
            "keypoint_applies": [true, false, true],
            "keypoint_weights": [3.0, 1.0, 1.0],
        })
    };
    let rollouts =
        json!([row(json!([1.0, 0.0, 0.0])), row(json!([1.0, null, 0.0])), row(json!([1.0, 0.0, null])),]);
    close(&of_all(&given("promptenhancer", json!({}), rollouts), "rewards", 3), &[0.75, 0.75, f64::NAN]);
    let rollouts = json!([{"keypoint_scores": [null]}, {"keypoint_scores": [0.5]}]);
    let result = given("promptenhancer", json!({}), rollouts);
    assert_eq!([in_loss(&result, "r0"), in_loss(&result, "r1")], [false, true]);
}

#[test]
fn reg4rec_has_the_numbers_of_its_section() {
    let rollouts = json!([
        {"future_hits": [1.0, 0.0, 1.0]},
        {"future_hits": [0.0, 1.0]},
        {"future_hits": []},
        {"future_hits": [0.0, 0.0, 1.0]},
    ]);
    let result = given("reg4rec", json!({"weights": [0, 0, 1]}), rollouts);
    close(&of_all(&result, "multi_step_reward", 4), &[1.25, 0.5, 0.0, 0.25]);
    let wanted = [1.6035675, 0.0, -1.0690450, -0.5345225];
    for (got, wanted) in all_advantages(&result, 4).into_iter().zip(wanted) {
        // The section has no epsilon.
        assert!((got - wanted).abs() < 1e-5, "{got}, expected {wanted}");
    }
}

#[test]
fn reg4rec_adds_path_and_consistency_up_to_its_horizon() {
    let row = |hits: serde_json::Value| json!({"future_hits": hits, "path_match": 0.5, "category_consistency": 0.25});
    let rollouts = json!([row(json!([1.0, 1.0, 1.0])), row(json!([1.0, null, 1.0]))]);
    let result = given("reg4rec", json!({"horizon": 2, "weights": [2, 1, 1]}), rollouts);
    close(&of_all(&result, "rewards", 2), &[1.0 + 0.25 + 1.5, f64::NAN]);
}
