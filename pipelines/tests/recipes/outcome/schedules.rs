//! rlvr_schedule, rmt, h1, qwenlong_l1: what depends on the iteration.

use serde_json::{Value, json};

use super::{missing, of_rollouts, rewarded, same};
use crate::support::{advantages, close, given, in_loss, list, signal, try_given};

/// One rollout in each of these iterations.
fn at(iterations: &[i64]) -> Value {
    iterations.iter().map(|i| json!({"iteration": i, "reward": 1.0})).collect()
}

fn every(given: &meed_pipelines::InMemory, rows: usize, name: &str) -> Vec<f64> {
    (0..rows).map(|row| signal(given, &format!("r{row}"), name)[0]).collect()
}

#[test]
fn magnitudes_fall_to_0() {
    for (mode, wanted) in [
        ("linear", [0.99, 0.7425, 0.495, 0.0]),
        ("sigmoid", [0.99, 0.8860563505, 0.495, 0.0]),
        // The program raises the whole value to the power, where the paper's text has 0.556875 and 0.2475.
        ("gamma", [0.9801, 0.55130625, 0.245025, 0.0]),
    ] {
        let given = given("rlvr_schedule", json!({"mode": mode}), at(&[0, 20, 40, 90]));
        close(&every(&given, 4, "magnitude"), &wanted);
    }
}

fn ten_tokens() -> Value {
    let entropies: Vec<f64> = (0..10).map(|t| f64::from((t * 7) % 10)).collect();
    json!([
        {"reward": 1.0, "token_mask": vec![true; 10], "token_entropies": entropies},
        {"reward": 0.0, "token_mask": vec![true; 10], "token_entropies": entropies},
    ])
}

#[test]
fn the_schedule_decides_which_tokens_are_trained() {
    let constant = |piece: &str| json!({"piece": piece, "mode": "constant", "magnitude": 0.495});
    let tail = given("rlvr_schedule", constant("tail percentile"), ten_tokens());
    assert_eq!(signal(&tail, "r0", "prefix_lengths"), [4.0]);
    assert_eq!(list(&tail, "r0", "token_weights"), [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    let forking = given("rlvr_schedule", constant("forking tokens"), ten_tokens());
    // Entropies 0 7 4 1 8 5 2 9 6 3: the six highest.
    assert_eq!(list(&forking, "r0", "token_weights"), [0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0]);
}

#[test]
fn the_entropy_bonus_is_bounded_by_the_advantage() {
    let rollouts = json!([
        {"reward": 0.8, "token_mask": [true, true], "token_entropies": [1.5, 0.5]},
        {"reward": -0.8, "token_mask": [true, true], "token_entropies": [1.5, 0.5]},
    ]);
    let settings =
        json!({"piece": "entropy advantage", "mode": "constant", "magnitude": 0.495, "scale": "none"});
    let given = given("rlvr_schedule", settings, rollouts);
    close(&advantages(&given, "r0"), &[0.998, 0.8 + 0.495 * 0.2]);
    close(&advantages(&given, "r1"), &[-0.8 + 0.495 * 0.4, -0.8 + 0.495 * 0.2]);
}

#[test]
fn magnitude_0_is_grpo() {
    for piece in ["tail percentile", "forking tokens", "entropy advantage"] {
        let none = json!({"piece": piece, "mode": "constant", "magnitude": 0.0});
        same("rlvr_schedule", none.clone(), "grpo", json!({}), ten_tokens());
        if piece != "entropy advantage" {
            assert_eq!(list(&given("rlvr_schedule", none, ten_tokens()), "r0", "token_weights"), [1.0; 10]);
        }
    }
}

#[test]
fn one_trainable_token_is_always_left() {
    let mask = [true, false, true, false];
    let rollouts = json!([
        {"reward": 1.0, "token_mask": mask, "token_entropies": [0.1, 9.0, 0.2, 9.0]},
        {"reward": 0.0, "token_mask": [true], "token_entropies": [0.3]},
    ]);
    for piece in ["tail percentile", "forking tokens"] {
        let most = json!({"piece": piece, "mode": "constant", "magnitude": 1.0});
        let given = given("rlvr_schedule", most, rollouts.clone());
        assert_eq!(list(&given, "r0", "token_weights"), [0.0, 0.0, 1.0, 0.0], "{piece}");
        assert_eq!(list(&given, "r1", "token_weights"), [1.0], "{piece}");
    }
    let forking = json!({"piece": "forking tokens"});
    missing("rlvr_schedule", forking, rewarded(&[1.0, 0.0]), "token_entropies");
}

#[test]
fn rmt_shrinks_its_budget() {
    let given = given("rmt", json!({"total_iterations": 100}), at(&[0, 25, 50, 75, 100]));
    assert_eq!(every(&given, 5, "budget_tokens"), [800.0, 534.0, 357.0, 239.0, 160.0]);
    assert_eq!(every(&given, 5, "easy_share")[0], 0.6);
    close(&every(&given, 5, "easy_share"), &[0.6, 0.6, 0.35, 0.1, 0.1]);
    let total: f64 =
        ["easy", "medium", "hard"].iter().map(|tier| every(&given, 5, &format!("{tier}_share"))[2]).sum();
    close(&[total], &[1.0]);
}

#[test]
fn rmt_rewards_lengths_about_the_budget() {
    let lengths = [100usize, 357, 500, 800];
    let rollouts: Value = lengths
        .iter()
        .map(|length| json!({"iteration": 50, "reward": 1.0, "token_mask": vec![true; *length]}))
        .collect();
    let given = given("rmt", json!({"total_iterations": 100, "length_weight": 0.5}), rollouts);
    close(&every(&given, 4, "length_reward"), &[0.2801120448, 1.0, 0.5994397759, 0.0]);
    close(&every(&given, 4, "score"), &[0.6400560224, 1.0, 0.79971988795, 0.5]);
    let only_match = json!({"length_weight": 0.0});
    same("rmt", only_match, "grpo", json!({}), rewarded(&[1.0, 0.0, 0.0]));
    let error = try_given("rmt", json!({"early_tiers": [1.0]}), rewarded(&[1.0])).err().unwrap();
    assert!(error.to_string().contains("early_tiers"), "{error}");
}

#[test]
fn h1_centres_rewards_and_lengthens_chains() {
    same("h1", json!({}), "dr_grpo", json!({}), rewarded(&[1.0, 0.0, 0.0]));
    let given = given("h1", json!({}), at(&[0, 199, 200, 799, 800, 5000]));
    assert_eq!(every(&given, 6, "horizon"), [1.0, 1.0, 2.0, 4.0, 5.0, 5.0]);
    let collapsed = crate::support::given("h1", json!({}), rewarded(&[0.0, 0.0]));
    assert_eq!(signal(&collapsed, "r0", "has_signal"), [0.0]);
    close(&advantages(&collapsed, "r0"), &[0.0, 0.0]);
}

#[test]
fn qwenlong_takes_the_better_verdict() {
    let verdicts = json!([
        {"rule_score": 0.0, "judge_score": 1.0},
        {"rule_score": 1.0, "judge_score": null},
        {"rule_score": 0.0, "judge_score": null},
        {"rule_score": 0.0, "judge_score": 0.0},
    ]);
    let given = given("qwenlong_l1", json!({}), verdicts);
    close(&every(&given, 4, "rewards"), &[1.0, 1.0, f64::NAN, 0.0]);
    assert!(!in_loss(&given, "r2") && in_loss(&given, "r3"));
    missing("qwenlong_l1", json!({}), json!([{"rule_score": 1.0}]), "judge_score");
}

#[test]
fn qwenlong_weighs_hard_prompts() {
    let verdict =
        |group: &str, right: f64| json!({"group_id": group, "rule_score": right, "judge_score": 0.0});
    let rollouts = json!([
        verdict("a", 1.0),
        verdict("a", 0.0),
        verdict("a", 0.0),
        verdict("a", 0.0),
        verdict("b", 1.0),
        verdict("b", 0.0),
        verdict("c", 1.0),
        verdict("d", 0.0),
    ]);
    let given = given("qwenlong_l1", json!({}), rollouts);
    let weights = every(&given, 8, "prompt_weight");
    assert_eq!(weights, [4.0, 4.0, 4.0, 4.0, 2.0, 2.0, 1.0, 100.0]);
    let of_prompts = [weights[0], weights[4], weights[6]];
    let shares: Vec<f64> = of_prompts.iter().map(|weight| weight / of_prompts.iter().sum::<f64>()).collect();
    close(&shares, &[0.5714285714, 0.2857142857, 0.1428571429]);
    let row = |iteration: i64| json!({"iteration": iteration, "rule_score": 1.0, "judge_score": 1.0});
    let stages = crate::support::given("qwenlong_l1", json!({}), json!([row(0), row(99), row(100)]));
    assert_eq!(every(&stages, 3, "context_limit"), [20000.0, 20000.0, 60000.0]);
    let same_verdicts: Value = [1.0, 0.0, 0.0].iter().map(|right| verdict("g", *right)).collect();
    let centred = of_rollouts("qwenlong_l1", json!({}), same_verdicts);
    close(&centred, &of_rollouts("grpo", json!({}), rewarded(&[1.0, 0.0, 0.0])));
}
