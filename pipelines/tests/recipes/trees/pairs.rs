//! iTool, the study of step reward models and pairs of leaves: preferences from trees.

use serde_json::{Value, json};

use crate::support::{close, given, signal};

/// A path of one-token steps through the nodes of a tree.
fn path(reward: f64, nodes: &[i64], columns: Value) -> Value {
    let mut row = columns;
    row["reward"] = reward.into();
    row["step_nodes"] = json!(nodes);
    row["token_mask"] = json!(vec![true; nodes.len()]);
    row["step_ends"] = json!((1..=nodes.len()).collect::<Vec<usize>>());
    row
}

/// The root has the children 0 and 4; below 0 are 1, 2 and 3.
fn tree() -> Value {
    let leaf = |reward: f64, nodes: &[i64]| path(reward, nodes, json!({}));
    json!([leaf(1.0, &[0, 1]), leaf(0.0, &[0, 2]), leaf(1.0, &[0, 3]), leaf(0.0, &[4])])
}

#[test]
fn the_best_child_of_a_node_is_paired_with_its_worst() {
    for recipe in ["itool", "srm_study"] {
        let result = given(recipe, json!({}), tree());
        let of = |rollout: &str, name: &str| signal(&result, rollout, name);
        close(&of("r0", "step_q"), &[2.0 / 3.0, 1.0]);
        close(&of("r0", "step_chosen"), &[1.0, 1.0]);
        close(&of("r1", "step_chosen"), &[0.0, 0.0]);
        close(&of("r1", "step_rejected"), &[0.0, 1.0]);
        close(&of("r2", "step_chosen"), &[0.0, 0.0]);
        close(&of("r3", "step_rejected"), &[1.0]);
        close(&of("r1", "step_pair_ids"), &[-1.0, 0.0]);
        close(&of("r2", "step_pair_weights"), &[0.0, 0.0]);
    }
}

#[test]
fn siblings_without_a_gap_make_no_pair() {
    let equal = json!([path(1.0, &[0], json!({})), path(1.0, &[1], json!({}))]);
    close(&signal(&given("itool", json!({}), equal), "r0", "step_pair_weights"), &[0.0]);
    let result = given("srm_study", json!({"gap": 0.9}), tree());
    close(&signal(&result, "r0", "step_pair_weights"), &[0.0, 1.0]);
    let alone = json!([path(1.0, &[0, 1], json!({}))]);
    close(&signal(&given("itool", json!({}), alone), "r0", "step_pair_weights"), &[0.0, 0.0]);
}

/// A child of several steps is chosen, or rejected, with all of them.
#[test]
fn a_node_of_several_steps_is_one_child() {
    let rows = json!([path(1.0, &[1, 3, 3], json!({})), path(0.0, &[1, 4], json!({}))]);
    for recipe in ["itool", "srm_study"] {
        let given = given(recipe, json!({}), rows.clone());
        close(&signal(&given, "r0", "step_chosen"), &[0.0, 1.0, 1.0]);
        close(&signal(&given, "r1", "step_rejected"), &[0.0, 1.0]);
    }
}

#[test]
fn itool_takes_the_values_of_a_search() {
    let row = |nodes: &[i64], values: &[f64]| path(0.0, nodes, json!({ "step_search_values": values }));
    let rows = json!([row(&[0], &[0.2]), row(&[1], &[0.7])]);
    let result = given("itool", json!({"values": "search"}), rows);
    close(&signal(&result, "r1", "step_chosen"), &[1.0]);
    close(&signal(&result, "r0", "step_rejected"), &[1.0]);
}

#[test]
fn a_greedy_search_takes_the_child_with_the_best_score() {
    let row = |node: i64, score: f64| path(0.0, &[node], json!({ "step_scores": [score] }));
    let rows = json!([row(0, 0.2), row(1, 1.3), row(2, 0.4)]);
    let result = given("srm_study", json!({"select": "greedy"}), rows);
    let chosen: Vec<f64> =
        ["r0", "r1", "r2"].iter().flat_map(|row| signal(&result, row, "step_chosen")).collect();
    close(&chosen, &[0.0, 1.0, 0.0]);
}

#[test]
fn pairs_of_leaves_are_stratified_by_the_depth_at_which_they_part() {
    let leaf = |reward: f64, nodes: &[i64]| path(reward, nodes, json!({}));
    let rows = json!([leaf(0.8, &[0, 2]), leaf(0.3, &[0, 3]), leaf(0.5, &[1, 4]), leaf(0.9, &[1, 5])]);
    let result = given("tree_topology_rm", json!({}), rows.clone());
    let of = |rollout: &str, name: &str| signal(&result, rollout, name);
    close(&of("r0", "rival_gaps"), &[0.5, 0.3, -0.1]);
    close(&of("r0", "rival_weights"), &[0.5, 0.25, 0.25]);
    close(&of("r1", "rival_weights"), &[0.25, 0.25]);
    close(&of("r2", "rival_weights"), &[0.5]);
    assert!(of("r3", "rival_weights").is_empty());
    let one = given("tree_topology_rm", json!({"per_depth": 1, "seed": 3}), rows);
    let weights: Vec<f64> =
        ["r0", "r1", "r2"].iter().flat_map(|row| signal(&one, row, "rival_weights")).collect();
    assert_eq!(weights.iter().filter(|weight| **weight == 1.0).count(), 2);
    assert_eq!(weights.iter().sum::<f64>(), 2.0);
}

#[test]
fn equal_leaves_and_equal_rewards_are_no_preference() {
    let leaf = |reward: f64, nodes: &[i64]| path(reward, nodes, json!({}));
    let result =
        given("tree_topology_rm", json!({}), json!([leaf(1.0, &[0]), leaf(0.0, &[0]), leaf(1.0, &[1])]));
    close(&signal(&result, "r0", "rival_weights"), &[0.0]);
    close(&signal(&result, "r1", "rival_weights"), &[1.0]);
}
