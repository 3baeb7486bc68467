//! Flow-GRPO, DanceGRPO and TempFlow-GRPO: outcomes on denoising steps.

use serde_json::json;

use super::samples;
use crate::support::{advantages, close, given, list, signal};

const REWARDS: [f64; 4] = [0.2, 0.5, 0.9, 0.4];

#[test]
fn the_numbers_of_the_base_section() {
    let flow = given("flow_grpo", json!({}), samples(&REWARDS, 4));
    let dance = given("dance_grpo", json!({}), samples(&REWARDS, 4));
    let wanted = [
        ("r0", -1.176235453, -1.019049296),
        ("r1", 0.0, 0.0),
        ("r2", 1.568313938, 1.358732395),
        ("r3", -0.392078484, -0.339683099),
    ];
    for (rollout, of_flow, of_dance) in wanted {
        close(&advantages(&flow, rollout), &[of_flow; 4]);
        close(&advantages(&dance, rollout), &[of_dance; 4]);
    }
}

#[test]
fn with_their_eps_they_are_grpo() {
    let grpo = given("grpo", json!({ "ddof": 0, "eps": 1e-4 }), samples(&REWARDS, 3));
    let flow = given("flow_grpo", json!({}), samples(&REWARDS, 3));
    let sample_grpo = given("grpo", json!({ "eps": 1e-8 }), samples(&REWARDS, 3));
    let dance = given("dance_grpo", json!({}), samples(&REWARDS, 3));
    for rollout in ["r0", "r1", "r2", "r3"] {
        assert_eq!(advantages(&flow, rollout), advantages(&grpo, rollout));
        assert_eq!(advantages(&dance, rollout), advantages(&sample_grpo, rollout));
    }
}

#[test]
fn the_step_without_noise_is_not_trained() {
    let flow = given("flow_grpo", json!({}), samples(&REWARDS, 4));
    close(&list(&flow, "r0", "token_weights"), &[1.0, 1.0, 1.0, 0.0]);
    let unknown = given("flow_grpo", json!({}), json!([{ "reward": 1.0, "step_rewards": [0.0, 0.0] }]));
    close(&list(&unknown, "r0", "token_weights"), &[1.0, 1.0]);
}

#[test]
fn a_part_of_the_steps_is_drawn_but_never_the_last() {
    let dance = |seed: u64| given("dance_grpo", json!({ "seed": seed }), samples(&REWARDS, 8));
    let (one, other) = (dance(1), dance(2));
    let mut counts = [0.0; 8];
    for rollout in ["r0", "r1", "r2", "r3"] {
        let weights = list(&one, rollout, "token_weights");
        assert_eq!(weights.iter().sum::<f64>(), 4.0, "{weights:?}");
        assert_eq!(weights[7], 0.0);
        counts.iter_mut().zip(weights).for_each(|(count, weight)| *count += weight);
    }
    assert!(counts.iter().filter(|&&count| count > 0.0).count() > 4, "{counts:?}");
    assert_ne!(list(&one, "r0", "token_weights"), list(&other, "r0", "token_weights"));
    let all = given("dance_grpo", json!({ "timestep_fraction": 1.0 }), samples(&REWARDS, 8));
    close(&list(&all, "r0", "token_weights"), &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
}

#[test]
fn other_weightings_of_the_tracker() {
    let weighted = |weighting: &str, rewards: &[f64]| -> Vec<f64> {
        let given = given("flow_grpo", json!({ "weighting": weighting }), samples(rewards, 1));
        (0..rewards.len()).map(|i| signal(&given, &format!("r{i}"), "advantage")[0]).collect()
    };
    close(&weighted("rwr", &REWARDS), &REWARDS);
    close(&weighted("sft", &[0.5, 0.9, 0.9]), &[0.0, 1.0, 1.0]);
    close(&weighted("dpo", &REWARDS), &[-1.0, 0.0, 1.0, 0.0]);
    close(&weighted("dpo", &[0.5, 0.5, 0.5]), &[-1.0, 1.0, 0.0]);
    close(&weighted("dpo", &[0.5]), &[0.0]);
}

#[test]
fn branches_of_one_seed_and_step_are_compared() {
    let row = |seed: &str, step: i64, reward: f64| json!({ "seed_id": seed, "branch_step": step, "reward": reward });
    let rows =
        json!([row("a", 0, 0.3), row("a", 0, 0.7), row("a", 0, 0.5), row("a", 1, 0.9), row("b", 0, 0.1)]);
    let by_seed = given("tempflow_grpo", json!({}), rows.clone());
    for (rollout, wanted) in [("r0", -1.22399533), ("r1", 1.22399533), ("r2", 0.0), ("r3", 0.0), ("r4", 0.0)]
    {
        close(&advantages(&by_seed, rollout), &[wanted]);
    }
    let by_prompt = given("tempflow_grpo", json!({ "group": "prompt, step" }), rows);
    assert!(advantages(&by_prompt, "r4")[0] < -1.0);
    close(&advantages(&by_prompt, "r3"), &[0.0]);
}
