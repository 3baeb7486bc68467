//! Dynamic guidance, FK steering and pairs of VideoAlign: what a sampler or a loss over pairs takes.

use serde_json::{Value, json};

use super::samples;
use crate::support::{close, given, signal};

fn candidates(previous: Value) -> Value {
    let row = |guidance: f64, scores: [f64; 2]| {
        json!({
            "guidance": guidance, "step_evaluator_scores": [scores],
            "step_evaluator_previous_scores": [previous],
        })
    };
    json!([row(1.0, [0.22, 0.24]), row(3.0, [0.25, 0.25]), row(7.5, [0.21, 0.30])])
}

#[test]
fn the_numbers_of_dynamic_guidance() {
    let given_ = given("dynamic_cfg", json!({}), candidates(json!([0.20, 0.25])));
    for (rollout, score, chosen) in [("r0", 0.0124, 0.0), ("r1", 0.0625, 0.0), ("r2", 0.0705, 1.0)] {
        close(&signal(&given_, rollout, "step_candidate_scores"), &[score]);
        close(&signal(&given_, rollout, "step_chosen"), &[chosen]);
        close(&signal(&given_, rollout, "step_guidance"), &[7.5]);
    }
    // Without scores before, or with none above 0, evaluators count alike.
    for previous in [json!([null, null]), json!([0.0, -0.1])] {
        let first = given("dynamic_cfg", json!({}), candidates(previous));
        close(&signal(&first, "r2", "step_candidate_scores"), &[0.51]);
        close(&signal(&first, "r0", "step_guidance"), &[7.5]);
    }
}

#[test]
fn each_step_has_a_guidance_of_its_own_and_equal_candidates_the_first() {
    let row = |guidance: f64, first: f64, second: f64| {
        json!({
            "guidance": guidance, "step_evaluator_scores": [[first], [second]],
            "step_evaluator_previous_scores": [[null], [null]],
        })
    };
    let given = given("dynamic_cfg", json!({}), json!([row(1.0, 0.5, 0.1), row(5.0, 0.5, 0.3)]));
    close(&signal(&given, "r0", "step_guidance"), &[1.0, 5.0]);
    close(&signal(&given, "r1", "step_guidance"), &[1.0, 5.0]);
}

fn particles(settings: Value) -> meed_pipelines::InMemory {
    let row = |reward: f64, previous: f64| json!({ "reward": reward, "previous_reward": previous, "weight_product": 2.0 });
    given("fk_steering", settings, json!([row(0.5, 0.1), row(0.3, 0.4), row(0.2, 0.2), row(0.9, 0.3)]))
}

fn of_all(given: &meed_pipelines::InMemory, name: &str) -> Vec<f64> {
    ["r0", "r1", "r2", "r3"].iter().flat_map(|rollout| signal(given, rollout, name)).collect()
}

#[test]
fn the_numbers_of_fk_steering() {
    let gain = particles(json!({ "potential": "diff", "adaptive": true }));
    let wanted = [54.598150033, 0.367879441, 1.0, 403.428793493];
    close(&of_all(&gain, "resampling_weights"), &wanted);
    close(&of_all(&gain, "effective_sample_size")[..1], &[1.273365333]);
    close(&of_all(&gain, "resamples"), &[1.0; 4]);
    let most = particles(json!({}));
    close(&of_all(&most, "resampling_weights"), &[148.413159103, 54.598150033, 7.389056099, 8103.083927575]);
    close(&of_all(&most, "effective_sample_size")[..1], &[1.052203521]);
    close(&of_all(&most, "particle_reward"), &[0.5, 0.4, 0.2, 0.9]);
    assert!((of_all(&most, "resampling_share").iter().sum::<f64>() - 1.0).abs() < 1e-12);
}

#[test]
fn fk_steering_at_the_last_step_and_at_its_bounds() {
    let last = particles(json!({ "potential": "rt", "last": true, "lambda": 1 }));
    close(&of_all(&last, "resampling_weights")[..1], &[0.824360635]);
    // Weights that are nearly equal are left as they are.
    close(&of_all(&last, "resamples"), &[0.0; 4]);
    let sum = particles(json!({ "potential": "add", "lambda": 1 }));
    close(&of_all(&sum, "particle_reward"), &[0.6, 0.7, 0.4, 1.2]);
    let sharp = particles(json!({ "lambda": 1000 }));
    close(&of_all(&sharp, "resampling_weights"), &[1e10; 4]);
    let first = json!([
        { "reward": -1.0, "previous_reward": null, "weight_product": null },
        { "reward": -1.0, "previous_reward": 0.5, "weight_product": 1.0 },
    ]);
    close(&signal(&given("fk_steering", json!({}), first), "r0", "particle_reward"), &[0.0]);
}

#[test]
fn pairs_and_weights_of_videoalign() {
    let selected = |settings: Value, rewards: &[f64]| -> Vec<f64> {
        let given = given("flow_dpo_rwr_nrg", settings, samples(rewards, 1));
        (0..rewards.len()).map(|i| signal(&given, &format!("r{i}"), "selection")[0]).collect()
    };
    close(&selected(json!({ "variant": "rwr" }), &[0.2, -0.5]), &[1.221402758, 0.606530660]);
    close(&selected(json!({ "variant": "rwr", "weight": "raw" }), &[0.2, -0.5]), &[0.2, -0.5]);
    close(&selected(json!({}), &[0.5, 0.9, 0.1, 0.9]), &[0.0, 1.0, -1.0, 0.0]);
    close(&selected(json!({}), &[0.5, 0.5]), &[0.0, 0.0]);
}

#[test]
fn a_candidate_without_a_verdict_is_not_chosen_and_no_verdict_gives_no_guidance() {
    let row = |guidance: Value, scores: Value| {
        json!({
            "guidance": guidance, "step_evaluator_scores": [scores],
            "step_evaluator_previous_scores": [[0.0, null]],
        })
    };
    let partly = json!([row(1.0.into(), json!([0.9, null])), row(3.0.into(), json!([0.1, 0.2]))]);
    let partly = given("dynamic_cfg", json!({}), partly);
    close(&signal(&partly, "r0", "step_candidate_scores"), &[f64::NAN]);
    close(&signal(&partly, "r0", "step_chosen"), &[0.0]);
    close(&signal(&partly, "r0", "step_guidance"), &[3.0]);
    let none = json!([row(1.0.into(), json!([null, 0.5])), row(3.0.into(), json!([null, null]))]);
    close(&signal(&given("dynamic_cfg", json!({}), none), "r0", "step_guidance"), &[f64::NAN]);
    // A candidate that stands for no guidance is none.
    let unnamed = json!([row(Value::Null, json!([0.9, 0.9])), row(3.0.into(), json!([0.1, 0.2]))]);
    close(&signal(&given("dynamic_cfg", json!({}), unnamed), "r1", "step_guidance"), &[3.0]);
}

#[test]
fn particles_of_very_low_reward_still_have_an_effective_sample_size() {
    for potential in ["diff", "max", "add", "rt"] {
        let settings = json!({ "potential": potential, "adaptive": true, "first_reward": 0 });
        let row = |reward: f64| json!({ "reward": reward, "previous_reward": -0.5, "weight_product": 1.0 });
        let low = given("fk_steering", settings, json!([row(-50.0), row(-50.0), row(-60.0)]));
        let size = signal(&low, "r0", "effective_sample_size")[0];
        assert!((1.0..=3.0).contains(&size), "{potential}: {size}");
        let share: f64 = (0..3).map(|i| signal(&low, &format!("r{i}"), "resampling_share")[0]).sum();
        assert!((share - 1.0).abs() < 1e-12, "{potential}: {share}");
    }
    let settings = json!({ "potential": "rt", "adaptive": true });
    let row = |reward: Value| json!({ "reward": reward, "previous_reward": 0.0, "weight_product": 1.0 });
    let partly = given("fk_steering", settings, json!([row(0.1.into()), row(Value::Null), row(0.1.into())]));
    close(&signal(&partly, "r1", "resampling_weights"), &[f64::NAN]);
    close(&signal(&partly, "r0", "effective_sample_size"), &[2.0]);
}
