//! MALT.

use serde_json::{Value, json};

use super::by_agents;
use crate::support::{close, given, signal};

/// One generator, three verifiers of it, three refiners of each: nodes 0, 1 to 3, and 4 to 12.
fn tree() -> Value {
    let correct = [[1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]];
    let leaves = (0..9).map(|leaf| {
        let nodes = [0, 1 + leaf / 3, 4 + leaf];
        let id = format!("r{leaf}");
        let more = json!({"step_nodes": nodes, "rollout_id": id});
        by_agents(correct[leaf / 3][leaf % 3], &["generator", "verifier", "refiner"], more)
    });
    leaves.collect()
}

/// The numeric check of the section.
#[test]
fn values_labels_and_pairs_of_a_tree() {
    let got = given("malt", json!({}), tree());
    let of = |name: &str, role: usize, leaves: &[usize]| -> Vec<f64> {
        leaves.iter().map(|leaf| signal(&got, &format!("r{leaf}"), name)[role]).collect()
    };
    let values = |role: usize, leaves: &[usize]| -> Vec<f64> {
        leaves
            .iter()
            .map(|leaf| {
                let column = got.unit.list("step_node_values").unwrap().value(*leaf);
                use arrow::array::AsArray;
                column.as_primitive::<arrow::datatypes::Float64Type>().value(role)
            })
            .collect()
    };
    close(&values(0, &[0, 8]), &[1.0 / 3.0, 1.0 / 3.0]);
    close(&values(1, &[0, 3, 6]), &[2.0 / 3.0, 1.0 / 3.0, 0.0]);
    close(&of("step_positive", 0, &[0]), &[0.0]);
    close(&of("step_positive", 1, &[0, 3, 6]), &[1.0, 0.0, 0.0]);
    // (v1, v2), (v1, v3).
    close(&of("step_chosen", 1, &[0, 3, 6]), &[1.0, 0.0, 0.0]);
    close(&of("step_rejected", 1, &[0, 3, 6]), &[0.0, 1.0, 1.0]);
    close(&of("step_pairs", 1, &[0, 3, 6]), &[2.0, 1.0, 1.0]);
    // Under v1 (r1, r3), (r2, r3); under v2 (r1, r2), (r1, r3); under v3 none.
    let all: Vec<usize> = (0..9).collect();
    close(&of("step_pairs", 2, &all), &[1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
    close(&of("step_chosen", 2, &all), &[1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    close(&of("step_rejected", 2, &all), &[0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
    // A node that several rollouts pass is trained on once, and the generator is in no pair.
    close(&of("step_imitated", 1, &[0, 1, 2]), &[1.0, 0.0, 0.0]);
    close(&of("step_chosen", 1, &[1, 2]), &[0.0, 0.0]);
    close(&of("step_pairs", 0, &all), &[0.0; 9]);
}

/// A value of exactly one half is negative.
#[test]
fn one_half_is_negative_and_generators_may_be_paired() {
    let paths = [(0, 2, 1.0), (0, 3, 0.0), (1, 4, 1.0), (1, 5, 1.0)];
    let rollouts: Value = paths
        .into_iter()
        .map(|(generator, refiner, reward)| {
            by_agents(reward, &["generator", "refiner"], json!({"step_nodes": [generator, refiner]}))
        })
        .collect();
    let got = given("malt", json!({"without_pairs": []}), rollouts);
    close(&signal(&got, "r0", "step_positive"), &[0.0, 1.0]);
    close(&signal(&got, "r0", "step_pairs"), &[1.0, 1.0]);
    close(&signal(&got, "r2", "step_chosen"), &[1.0, 0.0]);
}
