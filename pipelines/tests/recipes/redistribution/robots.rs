//! Robo-Dopamine and SARM: progress of robot tasks.

use meed_pipelines::objectives::recipes::sarm::progress_weights;
use serde_json::{Value, json};

use crate::support::{close, given, signal};

fn hops(settings: Value) -> meed_pipelines::InMemory {
    let row =
        json!({ "step_hops": [0.4, 0.3], "step_initial_hops": [0.4, 0.6], "step_goal_hops": [-0.6, -0.3] });
    given("robo_dopamine", settings, json!([row]))
}

#[test]
fn the_numbers_of_robo_dopamine() {
    close(&signal(&hops(json!({})), "r0", "step_potentials"), &[0.4, 0.626666667]);
    let incremental = hops(json!({ "potential": "incremental" }));
    close(&signal(&incremental, "r0", "step_potentials"), &[0.4, 0.58]);
    let consistent = hops(json!({ "potential": "consistent" }));
    close(&signal(&consistent, "r0", "step_potentials"), &[0.4, 0.609971008]);
    close(&signal(&consistent, "r0", "step_shaped_rewards"), &[0.396, 0.203871297]);
}

#[test]
fn potentials_go_down_with_negative_hops_and_reach_the_goal() {
    let row = json!({ "step_hops": [0.7, -0.428571429, 1.0], "step_initial_hops": [0.0, 0.0, 0.0], "step_goal_hops": [0.0, 0.0, 0.0] });
    let given = given("robo_dopamine", json!({ "potential": "incremental", "gamma": 1 }), json!([row]));
    close(&signal(&given, "r0", "step_potentials"), &[0.7, 0.4, 1.0]);
    // The shaping adds up to what was reached, and the goal is paid once.
    close(&signal(&given, "r0", "step_shaped_rewards"), &[0.7, -0.3, 1.6]);
}

#[test]
fn the_weights_of_sarm_are_those_of_its_objective() {
    let progress = [0.1, 0.09, 0.09, 0.095, 0.115, 0.145, 0.16];
    let rows = json!([{ "step_progress": progress }, { "step_progress": [0.2, 0.4] }]);
    let given_ = given("sarm", json!({ "ahead": 1 }), rows);
    let deltas = [-0.01, 0.0, 0.005, 0.02, 0.03, 0.015, 0.0];
    close(&signal(&given_, "r0", "step_progress_deltas"), &deltas);
    close(&signal(&given_, "r1", "step_progress_deltas"), &[0.2, 0.0]);
    let all: Vec<f64> = deltas.iter().copied().chain([0.2, 0.0]).collect();
    let weights = progress_weights(&all, 0.01, None, None);
    let raw: Vec<f64> =
        ["r0", "r1"].iter().flat_map(|rollout| signal(&given_, rollout, "step_raw_weights")).collect();
    close(&raw, &weights);
    let scaled: f64 = ["r0", "r1"].iter().flat_map(|rollout| signal(&given_, rollout, "step_weights")).sum();
    assert!((scaled / 9.0 - 1.0).abs() < 1e-5, "{scaled}");
}

#[test]
fn chunks_beyond_the_end_of_sarm_reach_the_last_frame() {
    let rows = json!([{ "step_progress": [0.5, 0.49, 0.49, 0.495, 0.515, 0.545, 0.56] }]);
    let given = given("sarm", json!({ "ahead": 50 }), rows);
    close(&signal(&given, "r0", "step_progress_deltas"), &[0.06, 0.07, 0.07, 0.065, 0.045, 0.015, 0.0]);
}

#[test]
fn the_potential_is_unknown_from_a_missing_comparison_on() {
    let row = json!({ "step_hops": [0.4, null, 0.3], "step_initial_hops": [0.4, 0.5, 0.6], "step_goal_hops": [-0.6, -0.5, -0.3] });
    for potential in ["fused", "consistent", "incremental"] {
        let given = given("robo_dopamine", json!({ "potential": potential }), json!([row]));
        close(&signal(&given, "r0", "step_potentials"), &[0.4, f64::NAN, f64::NAN]);
        close(&signal(&given, "r0", "step_shaped_rewards")[1..], &[f64::NAN, f64::NAN]);
    }
}

#[test]
fn a_chunk_of_sarm_that_ends_in_unknown_progress_weighs_one() {
    let rows = json!([{ "step_progress": [0.1, 0.2, null] }, { "step_progress": [0.5, 0.5, 0.5] }]);
    let given = given("sarm", json!({ "ahead": 2 }), rows);
    close(&signal(&given, "r0", "step_progress_deltas"), &[f64::NAN; 3]);
    close(&signal(&given, "r0", "step_raw_weights"), &[1.0; 3]);
    close(&signal(&given, "r1", "step_progress_deltas"), &[0.0; 3]);
}
