//! GroundedPRM and HRM: values of tree nodes.

use serde_json::json;

use super::{lacks, signal, steps};
use crate::support::{close, given};

#[test]
fn a_simulation_is_worth_its_verdicts_and_backs_up_with_the_distance() {
    let rows = json!([steps(
        &[1; 7],
        json!({
            "reward": 1.0, "simulated_from": 3, "step_nodes": [0, 1, 2, 3, 4, 5, 6],
            "step_verdicts": [0.0, 0.0, 0.0, 1.0, -1.0, 1.0, -1.0],
        })
    )]);
    let given = given("grounded_prm", json!({ "initial": "zero" }), rows);
    close(&signal(&given, "r0", "simulation_value"), &[0.5555556]);
    close(&signal(&given, "r0", "rewards"), &[0.45, 0.5, 0.5555556, 0.0, 0.0, 0.0, 0.0]);
    close(&signal(&given, "r0", "step_visits"), &[1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn nodes_add_up_over_simulations_and_begin_with_their_verdict() {
    let row = |id: &str, reward: f64, nodes: [i64; 2]| {
        let columns = json!({
            "rollout_id": id, "reward": reward, "simulated_from": 1, "step_nodes": nodes,
            "step_verdicts": [-1.0, null],
        });
        steps(&[1, 1], columns)
    };
    let given_ = given(
        "grounded_prm",
        json!({}),
        json!([row("a", 1.0, [0, 1]), row("b", 0.0, [0, 2]), row("c", 1.0, [0, 3])]),
    );
    // A single new step leaves only the final check: 1, -1 and 1.
    close(&signal(&given_, "a", "simulation_value"), &[1.0]);
    close(&signal(&given_, "b", "simulation_value"), &[-1.0]);
    for rollout in ["a", "b", "c"] {
        close(&signal(&given_, rollout, "rewards"), &[-1.0 + 1.0, 0.0]);
        close(&signal(&given_, rollout, "step_visits"), &[3.0, 0.0]);
    }
    // No new step at all: the final check too, and every step is an ancestor.
    let ended = steps(
        &[1, 1],
        json!({ "reward": 1.0, "simulated_from": 2, "step_nodes": [0, 1], "step_verdicts": [1.0, 1.0] }),
    );
    close(&signal(&given("grounded_prm", json!({}), json!([ended])), "r0", "rewards"), &[1.9, 2.0]);
}

#[test]
fn labels_are_shares_of_right_leaves_and_pairs_have_that_of_the_later_step() {
    let row = |reward: f64, nodes: &[i64]| {
        steps(&vec![1; nodes.len()], json!({ "reward": reward, "step_nodes": nodes }))
    };
    // root -> a (0), b (4); a -> three leaves.
    let rows = json!([row(1.0, &[0, 1]), row(0.0, &[0, 2]), row(1.0, &[0, 3]), row(0.0, &[4])]);
    let given_ = given("hrm", json!({}), rows.clone());
    close(&signal(&given_, "r0", "rewards"), &[2.0 / 3.0, 1.0]);
    close(&signal(&given_, "r1", "rewards"), &[2.0 / 3.0, 0.0]);
    close(&signal(&given_, "r3", "rewards"), &[0.0]);
    close(&signal(&given_, "r0", "step_pair_labels"), &[f64::NAN, 1.0]);
    close(&signal(&given_, "r1", "step_pair_labels"), &[f64::NAN, 0.0]);
    // A second path to a leaf is no second leaf.
    let mut twice = rows.as_array().unwrap().clone();
    twice.push(row(1.0, &[0, 1]));
    close(&signal(&given("hrm", json!({}), json!(twice)), "r1", "rewards"), &[2.0 / 3.0, 0.0]);
}

#[test]
fn the_error_of_a_missing_column_names_its_provider() {
    let bare = json!([steps(&[1], json!({ "reward": 1.0 }))]);
    lacks("hrm", json!({}), bare.clone(), "step_nodes", "search tree");
    lacks("grounded_prm", json!({}), bare, "simulated_from", "tree search");
}
