//! adactrl, tarot, light_if: composed rewards.

use serde_json::{Value, json};

use super::{missing, rewarded, same};
use crate::support::{advantages, close, given, in_loss, signal};

/// A group of tagged responses with these lengths.
fn tagged(rollouts: &[(&str, f64, u32)]) -> Value {
    rollouts
        .iter()
        .map(|(tag, reward, length)| json!({"tag": tag, "reward": reward, "response_length": length}))
        .collect()
}

#[test]
fn adactrl_length_rewards_by_the_sections_numbers() {
    let by_label = json!({"variant": "multi_threads"});
    let easy = tagged(&[("easy", 1.0, 100), ("easy", 1.0, 250), ("easy", 1.0, 400)]);
    let hard = tagged(&[("hard", 0.0, 100), ("hard", 0.0, 250), ("hard", 0.0, 400)]);
    for (rollouts, wanted) in
        [(easy, [0.8535533906, 0.3086582838, 0.0]), (hard, [0.1464466094, 0.6913417162, 1.0])]
    {
        let given = given("adactrl", by_label.clone(), rollouts);
        for (row, wanted) in wanted.iter().enumerate() {
            close(&signal(&given, &format!("r{row}"), "length_reward"), &[*wanted]);
        }
    }
}

#[test]
fn adactrl_variants_and_formats() {
    // Accuracy 2/3 is easy.
    let rollouts = || tagged(&[("easy", 1.0, 100), ("hard", 1.0, 400), ("none", 0.0, 400)]);
    for (variant, threshold, lengths, formats) in [
        ("naive", 0.625, [0.8535533906, 0.0, 0.0], [1.0, 0.0, -1.0]),
        ("multi_threads", 0.625, [0.8535533906, 0.0, 0.0], [1.0, 0.0, -1.0]),
        ("naive", 0.7, [0.8535533906, 0.0, 0.0], [0.0, 1.0, -1.0]),
        ("multi_threads", 0.7, [0.0, 1.0, 0.0], [0.0, 1.0, -1.0]),
    ] {
        let settings = json!({"variant": variant, "threshold": threshold});
        let given = given("adactrl", settings, rollouts());
        for row in 0..3 {
            let id = format!("r{row}");
            close(&signal(&given, &id, "length_reward"), &lengths[row..=row]);
            close(&signal(&given, &id, "format_reward"), &formats[row..=row]);
        }
        let total = signal(&given, "r0", "reward_total")[0];
        close(&[total], &[1.0 + 0.5 * lengths[0] + 0.5 * formats[0]]);
    }
    // Lengths are those of the trainable tokens where the data has none.
    let tokens = json!([
        {"tag": "easy", "reward": 1.0, "token_mask": [true, false]},
        {"tag": "easy", "reward": 1.0, "token_mask": [true, true]},
    ]);
    close(&signal(&given("adactrl", json!({}), tokens), "r0", "length_reward"), &[0.5]);
    let plain = json!({"length_weight": 0.0, "format_weight": 0.0});
    let tagged = tagged(&[("easy", 1.0, 1), ("hard", 0.0, 2)]);
    same("adactrl", plain, "grpo", json!({}), tagged);
    missing("adactrl", json!({}), rewarded(&[1.0]), "tag");
}

fn tested(passed: &[&str]) -> Value {
    let tiers = ["basic", "medium", "high", "edge"];
    json!({"test_tiers": tiers, "test_passed": tiers.map(|tier| passed.contains(&tier))})
}

#[test]
fn tarot_by_the_sections_numbers() {
    let set = ["basic", "medium", "high"];
    let reward = |scheme: &str, epoch: f64| {
        let given = given("tarot", json!({"scheme": scheme, "epoch": epoch}), json!([tested(&set)]));
        signal(&given, "r0", "rewards")[0]
    };
    close(&[reward("var_asce_normal", 0.9), reward("uni", 0.9)], &[0.65, 0.75]);
    // asce_normal at 0.5: basic, medium and high are active; at 0.1 only basic.
    close(&[reward("var_asce_normal", 0.5), reward("var_asce_normal", 0.1)], &[0.65, 0.15]);
}

#[test]
fn tarot_s_curriculum_follows_the_iteration() {
    let all = ["basic", "medium", "high", "edge"];
    let rollouts: Value = [0, 19, 20, 40, 60, 300]
        .iter()
        .map(|iteration| {
            let mut row = tested(&all);
            row["iteration"] = json!(iteration);
            row
        })
        .collect();
    let rewards = |scheme: &str| -> Vec<f64> {
        let given = given("tarot", json!({"scheme": scheme}), rollouts.clone());
        (0..6).map(|row| signal(&given, &format!("r{row}"), "rewards")[0]).collect()
    };
    close(&rewards("uni"), &[0.25, 0.25, 0.5, 0.75, 1.0, 1.0]);
    close(&rewards("uni_3e"), &[0.25, 0.25, 0.25, 0.25, 0.5, 1.0]);
    close(&rewards("var_asce_rev"), &[0.35, 0.35, 0.7, 0.85, 1.0, 1.0]);
}

#[test]
fn tarot_s_format_weights_and_missing_verdicts() {
    let mut rows = vec![tested(&["basic"]), tested(&[]), tested(&["edge"])];
    for (row, format) in rows.iter_mut().zip([1.0, 1.0, 0.0]) {
        row["code_format"] = json!(format);
    }
    rows[2]["test_passed"] = json!([null, false, false, true]);
    let settings = json!({"epoch": 1.0, "weights": {"basic": 0.5, "edge": 2.0}});
    let given = given("tarot", settings, json!(rows));
    close(&signal(&given, "r0", "score"), &[1.5]);
    close(&signal(&given, "r1", "score"), &[1.0]);
    assert!(signal(&given, "r2", "rewards")[0].is_nan() && !in_loss(&given, "r2"));
    missing("tarot", json!({}), rewarded(&[1.0]), "test_");
}

#[test]
fn light_if_rewards_the_share_of_constraints() {
    let rollouts = json!([
        {"constraint_met": [true, true, false, false]},
        {"constraint_met": [true]},
        {"constraint_met": [false, null]},
    ]);
    let given = given("light_if", json!({}), rollouts);
    close(&signal(&given, "r0", "rewards"), &[0.5]);
    let half_apart = 0.25 / (0.125f64.sqrt() + 1e-6);
    close(&advantages(&given, "r1"), &[half_apart]);
    assert!(!in_loss(&given, "r2"));
    same("light_if", json!({}), "grpo", json!({}), rewarded(&[1.0, 0.5, 0.0]));
}
