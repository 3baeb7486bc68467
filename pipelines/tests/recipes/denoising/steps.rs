//! VGPO, AC-Flow, Euphonium and B2-DiffuRL: values, critics and histories of denoising steps.

use std::f64::consts::{E, SQRT_2};

use serde_json::{Value, json};

use super::{of_steps, samples};
use crate::support::{advantages, close, given, in_loss, list, signal, try_given};

#[test]
fn the_numbers_of_vgpo() {
    let rows = of_steps("step_projected_rewards", &[&[0.2, 0.4, 0.6], &[0.1, 0.5, 0.9]]);
    let vgpo = given("vgpo", json!({}), rows.clone());
    close(&signal(&vgpo, "r0", "step_values_to_go"), &[1.046, 0.94, 0.6]);
    close(&signal(&vgpo, "r0", "step_value_weights"), &[1.213457077, 1.090487239, 0.696055684]);
    close(&advantages(&vgpo, "r0"), &[-1.085488766, -0.987392304, -0.653828615]);
    close(&advantages(&vgpo, "r1"), &[1.239455879, 1.273346754, 0.842992605]);
    let early = given("vgpo", json!({ "anchored_steps": 1 }), rows);
    close(&advantages(&early, "r0")[..1], &[-1.085488766]);
    assert!(advantages(&early, "r0")[1] < -0.987392304);
}

#[test]
fn vgpo_keeps_the_value_where_a_group_has_no_variance() {
    let equal = of_steps("step_projected_rewards", &[&[0.5, 0.5], &[0.5, 0.5]]);
    close(&advantages(&given("vgpo", json!({ "gamma": 0 }), equal), "r0"), &[0.05, 0.05]);
    let none = of_steps("step_projected_rewards", &[&[0.0, 0.0], &[0.0, 0.0]]);
    close(&advantages(&given("vgpo", json!({}), none), "r0"), &[0.0, 0.0]);
}

#[test]
fn the_weights_of_ac_flow() {
    let rows = json!([{ "reward": 1.0, "step_values": [0.6, 1.3, -1.5] }]);
    let ac = given("ac_flow", json!({ "shaping": "none" }), rows);
    close(&advantages(&ac, "r0"), &[0.4, -0.3, 1.0]);
    close(&signal(&ac, "r0", "step_imitation_weights"), &[1.491824698, 0.740818221, E]);
    let rows = json!([
        { "reward": 1.0, "step_values": [0.25] },
        { "reward": 3.0, "step_values": [0.25] },
        { "reward": 2.0, "step_values": [null] },
    ]);
    let least = given("ac_flow", json!({ "shaping": "min_max" }), rows.clone());
    close(&advantages(&least, "r1"), &[0.75]);
    assert!(!in_loss(&least, "r2"));
    let running = given("ac_flow", json!({}), rows);
    close(&signal(&running, "r0", "shaped_reward"), &[-0.707106776]);
}

#[test]
fn euphonium_compares_outcome_and_process_apart() {
    let row = |reward: f64, other: f64, process: [f64; 3]| json!({ "reward": reward, "reward_text": other, "step_rewards": process });
    let rows = json!([row(1.0, 0.0, [0.0, 0.2, 0.4]), row(0.0, 1.0, [0.0, 0.6, 0.2])]);
    let both = given("euphonium", json!({}), rows.clone());
    close(&signal(&both, "r0", "outcome_advantage_reward"), &[0.70710677]);
    // Steps without guidance have process reward 0 and advantage 0.
    close(&signal(&both, "r0", "step_process_advantages"), &[0.0, -0.70710676, 0.70710673]);
    close(&signal(&both, "r0", "step_positive_advantages"), &[0.70710677, 0.70710677, SQRT_2]);
    close(&signal(&both, "r0", "step_negative_advantages"), &[0.0, -0.70710676, 0.0]);
    close(&advantages(&both, "r0"), &[0.70710677, 0.0, SQRT_2]);
    let weighted =
        json!({ "mode": "outcome", "reward_columns": ["reward", "reward_text"], "weights": [1, 0.5] });
    close(&advantages(&given("euphonium", weighted, rows.clone()), "r0"), &[0.353553385; 3]);
    let process = given("euphonium", json!({ "mode": "process", "process_weight": 2 }), rows);
    close(&advantages(&process, "r1"), &[0.0, 1.41421352, -1.41421346]);
}

#[test]
fn euphonium_with_outcomes_only_is_dance_grpo_and_best_of_n_keeps_both_ends() {
    let rewards = [0.2, 0.5, 0.9, 0.4];
    let outcome =
        given("euphonium", json!({ "mode": "outcome", "timestep_fraction": 1 }), samples(&rewards, 3));
    let dance = given("dance_grpo", json!({}), samples(&rewards, 3));
    for rollout in ["r0", "r1", "r2", "r3"] {
        assert_eq!(advantages(&outcome, rollout), advantages(&dance, rollout));
    }
    let settings = json!({ "mode": "outcome", "timestep_fraction": 1, "best_of": 2 });
    let kept = given("euphonium", settings, samples(&rewards, 3));
    for (rollout, weight) in [("r0", 1.0), ("r1", 0.0), ("r2", 1.0), ("r3", 0.0)] {
        close(&list(&kept, rollout, "token_weights"), &[weight, weight, 0.0]);
    }
}

fn branches() -> Value {
    let row = |iteration: i64, branch: &str, reward: f64, number: usize| {
        json!({
            "iteration": iteration, "rollout_id": format!("{iteration}-{branch}-{number}"),
            "branch_id": branch, "reward": reward, "step_next_sigmas": vec![0.5; 20],
        })
    };
    let groups: [(i64, &str, &[f64]); 3] = [
        (0, "z", &[0.30, 0.32, 0.28]),
        (1, "a", &[0.31, 0.35, 0.27, 0.29, 0.33]),
        (1, "b", &[0.25, 0.30, 0.36, 0.24, 0.28]),
    ];
    let rows = groups.iter().flat_map(|(iteration, branch, rewards)| {
        rewards.iter().enumerate().map(|(i, reward)| row(*iteration, branch, *reward, i))
    });
    rows.collect()
}

#[test]
fn the_numbers_of_b2_diffurl() {
    let given_ = given("b2_diffurl", json!({}), branches());
    let wanted = [
        ("a", [0.322412850, 1.440110730, -0.795285030, -0.236436090, 0.881261790], [1, 2]),
        ("b", [-1.354133970, 0.042988380, 1.719535200, -1.633558440, -0.515860560], [2, 3]),
    ];
    for (branch, scores, kept) in wanted {
        for (i, score) in scores.into_iter().enumerate() {
            let id = format!("1-{branch}-{i}");
            close(&signal(&given_, &id, "z_score"), &[score]);
            let weights = list(&given_, &id, "token_weights");
            let late = if kept.contains(&i) { 14.0 } else { 0.0 };
            assert_eq!(weights.iter().sum::<f64>(), late, "{id}");
            assert_eq!(weights[..6], [0.0; 6]);
        }
    }
}

#[test]
fn b2_diffurl_trains_more_steps_with_every_stage() {
    let rows = |iteration: i64| {
        let row = |reward: f64| json!({ "iteration": iteration, "branch_id": "a", "reward": reward, "step_next_sigmas": vec![0.5; 20] });
        json!([row(0.0), row(1.0)])
    };
    for (iteration, trained) in [(0, 14.0), (14, 14.0), (15, 15.0), (50, 17.0), (99, 20.0)] {
        let given = given("b2_diffurl", json!({}), rows(iteration));
        assert_eq!(list(&given, "r1", "token_weights").iter().sum::<f64>(), trained, "{iteration}");
    }
}

#[test]
fn b2_diffurl_keeps_nothing_of_a_prompt_with_one_score() {
    let alone = json!([{ "branch_id": "a", "reward": 1.0, "step_next_sigmas": [0.5] }]);
    assert!(!in_loss(&given("b2_diffurl", json!({}), alone), "r0"));
}

#[test]
fn euphonium_keeps_as_many_samples_as_it_is_told_where_scores_are_equal() {
    let kept = |settings: Value, rewards: &[f64]| -> f64 {
        let given = given("euphonium", settings, samples(rewards, 2));
        (0..rewards.len()).map(|i| list(&given, &format!("r{i}"), "token_weights")[0]).sum()
    };
    let settings = json!({ "mode": "outcome", "timestep_fraction": 1, "best_of": 2 });
    assert_eq!(kept(settings.clone(), &[0.5; 4]), 2.0);
    assert_eq!(kept(settings, &[0.2, 0.9]), 2.0);
    let unranked = try_given("euphonium", json!({ "mode": "process", "best_of": 2 }), samples(&[0.5], 2));
    assert!(unranked.err().is_some_and(|error| error.to_string().contains("best_of")));
    let more = json!({ "mode": "outcome", "timestep_fraction": 1, "best_of": 8 });
    assert_eq!(kept(more, &[0.2, 0.9, 0.4]), 3.0);
}
