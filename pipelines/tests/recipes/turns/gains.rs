//! IGPO and A2TGPO: the sections' checks, turns that are part of the next one, and GRPO as a special case.

use serde_json::{Value, json};

use super::{of_policy, short_turns, with, with_turns};
use crate::support::{advantages, close, given, in_loss, list, signal};

fn numbers(values: &[f64]) -> Vec<Value> {
    values.iter().map(|&value| json!(value)).chain([Value::Null]).collect()
}

fn likelihoods(prompt: f64, logprobs: &[f64], reward: f64) -> Value {
    let row = with_turns(short_turns(logprobs.len() + 1), "step_gold_logprobs", &numbers(logprobs));
    with(with(row, "prompt_gold_logprob", json!(prompt)), "reward", json!(reward))
}

fn section() -> Value {
    json!([likelihoods(-2.0, &[-1.0, -0.4], 1.0), likelihoods(-2.0, &[-1.6, -1.8], 0.0)])
}

#[test]
fn igpo_in_its_sections_three_forms() {
    for (gain, normalise, first, second) in [
        ("prob_diff", "separate", [2.888322, 2.205510, 0.999998], [-2.888322, -2.329881, -0.999998]),
        ("log_prob_diff", "separate", [2.616575, 1.346407, 0.999998], [-2.616575, -2.501105, -0.999998]),
        ("prob_diff", "joint", [2.138217, 2.218575, 2.100325], [-2.138217, -1.586228, -0.741119]),
    ] {
        let given = given("igpo", json!({"gain": gain, "normalise": normalise}), section());
        close(&of_policy(advantages(&given, "r0")), &first);
        close(&of_policy(advantages(&given, "r1")), &second);
    }
}

#[test]
fn a_turn_without_a_likelihood_is_part_of_the_next_one() {
    let mut rows = section();
    rows[0] = likelihoods(-2.0, &[-1.0, -0.7, -0.4], 1.0);
    rows[0]["step_gold_logprobs"][2] = Value::Null;
    let with_gap = given("igpo", json!({"gamma": 0.5}), rows);
    let whole = given("igpo", json!({"gamma": 0.5}), section());
    let (with_gap, whole) = (of_policy(advantages(&with_gap, "r0")), of_policy(advantages(&whole, "r0")));
    close(&with_gap, &[whole[0], whole[1], whole[1], whole[2]]);
}

#[test]
fn a_gain_of_zero_is_a_turn_unless_it_is_merged() {
    let rows = json!([likelihoods(-2.0, &[-2.0, -1.0], 1.0), likelihoods(-2.0, &[-1.6, -1.8], 0.0)]);
    let settings = |zero_gains: &str| json!({"gamma": 0.5, "zero_gains": zero_gains});
    let merged = of_policy(advantages(&given("igpo", settings("merged"), rows.clone()), "r0"));
    assert_eq!(merged[0], merged[1]);
    let own = of_policy(advantages(&given("igpo", settings("turns"), rows), "r0"));
    assert_ne!(own[0], own[1]);
}

#[test]
fn one_turn_is_grpo_and_one_rollout_is_nothing() {
    let row = |reward: f64| likelihoods(-2.0, &[], reward);
    let rows = json!([row(1.0), row(0.0), row(0.5)]);
    let norm = json!({"ddof": 0, "eps": 1e-6});
    let (own, grpo) = (given("igpo", json!({}), rows.clone()), given("grpo", norm, rows));
    for id in ["r0", "r1", "r2"] {
        let (own, grpo) = (advantages(&own, id)[0], advantages(&grpo, id)[0]);
        assert!((own - grpo).abs() < 1e-5, "{own} against {grpo}");
    }
    let alone = given("igpo", json!({}), json!([likelihoods(-2.0, &[-1.0], 1.0)]));
    close(&advantages(&alone, "r0"), &[0.0, 0.0, 0.0]);
}

#[test]
fn the_first_release_compares_positions() {
    let settings = json!({"baseline": "position_mean", "gain": "log_prob_diff"});
    let rows = json!([likelihoods(-2.0, &[-1.0], 1.0), likelihoods(-2.0, &[], 0.5)]);
    let given = given("igpo", settings, rows);
    // Returns 2, 1 and 0.5; the second rollout has ended at the third token.
    close(&advantages(&given, "r0"), &[2.0 - 1.25, 0.0, 1.0 - 0.5]);
    close(&advantages(&given, "r1"), &[0.5 - 1.25]);
}

fn informed(gains: &[f64], reward: f64) -> Value {
    let row = with_turns(short_turns(gains.len() + 1), "step_information_gains", &numbers(gains));
    with(row, "reward", json!(reward))
}

#[test]
fn a2tgpo_with_its_clip_ranges() {
    let rows = json!([informed(&[0.2, 0.1], 1.0), informed(&[-0.1, 0.3], 0.0), informed(&[0.05], 0.0)]);
    let given = given("a2tgpo", json!({"clip_low": 0.2, "clip_high": 0.28}), rows);
    let wanted: [(&str, &[f64], &[f64]); 3] = [
        ("r0", &[1.461886, 1.114214, 1.414211], &[1.163737, 0.861366, 1.0]),
        ("r1", &[-0.754781, -0.407108, -0.707105], &[0.836263, 1.138634, 1.0]),
        ("r2", &[-0.707105, -0.707105], &[1.0, 1.0]),
    ];
    for (id, advantage, scales) in wanted {
        close(&of_policy(advantages(&given, id)), advantage);
        close(&signal(&given, id, "turn_clip_scales"), scales);
        let times = |width: f64| scales.iter().map(|scale| width * scale).collect::<Vec<f64>>();
        close(&of_policy(list(&given, id, "token_clip_low")), &times(0.2));
        close(&of_policy(list(&given, id, "token_clip_high")), &times(0.28));
    }
}

#[test]
fn a2tgpo_without_gains_is_grpo_and_leaves_the_clip_range() {
    let rows = json!([informed(&[], 1.0), informed(&[], 0.0)]);
    let with_ranges = given("a2tgpo", json!({}), rows.clone());
    close(&advantages(&with_ranges, "r0"), &[0.999998]);
    close(&list(&with_ranges, "r0", "token_clip_high"), &[0.004]);
    let without = given("a2tgpo", json!({"dynamic_clip": false}), rows);
    assert!(without.evaluated.signal("clip_low").is_none());
    let unknown = json!([with(informed(&[0.1], 1.0), "reward", Value::Null), informed(&[0.2], 0.0)]);
    assert!(!in_loss(&given("a2tgpo", json!({}), unknown), "r0"));
}
