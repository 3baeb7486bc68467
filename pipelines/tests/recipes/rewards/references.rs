//! PAR and LSC: rewards against references.

use serde_json::{Value, json};

use super::of_all;
use crate::support::{advantages, close, given, in_loss, signal};

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `r = 1` against three references.
fn par(settings: Value) -> f64 {
    let rollout = json!({"reward": 1.0, "reference_rewards": [0.5, 1.5, -0.2], "response_length": 350});
    signal(&given("par", settings, json!([rollout])), "r0", "rewards")[0]
}

#[test]
fn par_has_the_numbers_of_its_section() {
    let free = |shape: &str, references: u32| {
        par(json!({"shape": shape, "max_references": references, "penalise_length": false}))
    };
    close(&[free("sigmoid", 10), free("sigmoid", 1), free("centered", 10)], &[0.5895083, 0.6224593, 0.4]);
    close(&[free("log_sigmoid_centered", 10), par(json!({}))], &[-0.9651005, 0.4790431]);
}

#[test]
fn par_with_one_reference_is_the_sigmoid_of_the_difference() {
    for (reward, reference, k) in [(0.3, -1.7, 1.0), (-4.0, 2.5, 0.5), (2.0, 2.0, 3.0)] {
        let rollouts = json!([{"reward": reward, "reference_rewards": [reference]}]);
        let got = signal(&given("par", json!({"k": k}), rollouts), "r0", "rewards");
        close(&got, &[sigmoid(k * (reward - reference))]);
    }
}

#[test]
fn par_counts_trainable_tokens_where_no_length_is_given() {
    let settings = json!({"shape": "centered", "length_limit": 2, "length_penalty": 0.5});
    let rollout = json!({
        "reward": 1.0, "reference_rewards": [0.0], "token_mask": [true, false, true, true, false],
    });
    close(&signal(&given("par", settings, json!([rollout])), "r0", "rewards"), &[0.5]);
}

#[test]
fn par_without_a_reference_has_no_reward() {
    let rollouts = json!([
        {"reward": 1.0, "reference_rewards": [0.0]},
        {"reward": 1.0, "reference_rewards": []},
        {"reward": 0.0, "reference_rewards": [0.0]},
    ]);
    let given = given("par", json!({"shape": "centered"}), rollouts);
    close(&of_all(&given, "rewards", 3), &[1.0, f64::NAN, 0.0]);
    assert_eq!([in_loss(&given, "r0"), in_loss(&given, "r1")], [true, false]);
    let unit = 0.5 / (0.5f64.sqrt() + 1e-6);
    close(&advantages(&given, "r0"), &[unit]);
    close(&advantages(&given, "r2"), &[-unit]);
}

#[test]
fn par_of_the_arc_tangent() {
    let rollouts = json!([{"reward": 2.0, "reference_rewards": [1.0, 4.0]}]);
    let relative = given("par", json!({"shape": "arctan"}), rollouts.clone());
    close(&signal(&relative, "r0", "rewards"), &[(1f64.atan() + (-2f64).atan()) / 2.0]);
    let plain = given("par", json!({"shape": "arctan", "relative": false, "baseline": "none"}), rollouts);
    close(&advantages(&plain, "r0"), &[2f64.atan()]);
}

#[test]
fn equal_rewards_have_running_statistics_of_0() {
    let rollouts: Vec<Value> = (0..6)
        .map(|row| json!({"rollout_id": format!("r{row}"), "iteration": row / 3, "reward": 0.7}))
        .collect();
    for shape in ["running_zscore", "running_minmax"] {
        let given = given("par", json!({"shape": shape}), json!(rollouts));
        close(&of_all(&given, "rewards", 6), &[0.0; 6]);
    }
}

#[test]
fn lsc_has_the_numbers_of_its_section() {
    let rollouts = json!([{"property_rewards": [1.2, -0.4], "property_references": [0.7, 0.1]}]);
    let given = given("lsc", json!({}), rollouts);
    close(&signal(&given, "r0", "property_utilities"), &[-0.4740770, -0.9740770]);
    close(&signal(&given, "r0", "rewards"), &[-1.4481540]);
}

#[test]
fn lsc_with_one_property_is_the_log_sigmoid() {
    for (reward, reference) in [(0.5f64, 2.0), (-3.0, -3.5), (40.0, 0.0)] {
        let rollouts = json!([{"property_rewards": [reward], "property_references": [reference]}]);
        let given = given("lsc", json!({"baseline": "none"}), rollouts);
        close(&advantages(&given, "r0"), &[-(reference - reward).exp().ln_1p()]);
    }
}

#[test]
fn lsc_finds_its_references_among_samples_of_the_base_policy() {
    let rollouts = json!([{
        "property_rewards": [1.0, 1.0],
        "property_reference_rewards": [[0.0, 1.0], [0.25]],
    }]);
    let got = |reference: &str, rollouts: &Value| {
        signal(&given("lsc", json!({"reference": reference}), rollouts.clone()), "r0", "property_utilities")
    };
    let utility = |reference: f64| sigmoid(1.0 - reference).ln();
    close(&got("quantile", &rollouts), &[utility(0.85), utility(0.25)]);
    let normal = 0.5 + 1.0364333894937894 * (0.5f64.sqrt() + 1e-5);
    let single = 0.25 + 1.0364333894937894 * 1e-5;
    close(&got("normal_quantile", &rollouts), &[utility(normal), utility(single)]);
    let of_par = json!([{"property_rewards": [1.0], "property_reference_rewards": [[0.5, 1.5, -0.2]]}]);
    close(&got("normal_quantile", &of_par), &[-0.9651005]);
}

#[test]
fn lsc_needs_every_property() {
    let rollouts = json!([
        {"property_rewards": [1.0, null], "property_references": [0.0, 0.0]},
        {"property_rewards": [1.0, 1.0], "property_references": [0.0, 0.0]},
    ]);
    let given = given("lsc", json!({}), rollouts);
    assert!(signal(&given, "r0", "rewards")[0].is_nan());
    assert_eq!([in_loss(&given, "r0"), in_loss(&given, "r1")], [false, true]);
    close(&advantages(&given, "r1"), &[0.0]);
}
