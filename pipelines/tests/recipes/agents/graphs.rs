//! Graph-GRPO.

use serde_json::{Value, json};

use crate::support::{advantages, close, given, signal};

/// A graph with these edges, one token each.
fn graph(reward: f64, edges: &[&str]) -> Value {
    let ends = |end: usize| -> Vec<String> { edges.iter().map(|edge| edge[end..=end].to_owned()).collect() };
    let (sources, targets) = (ends(0), ends(1));
    let tokens: Vec<usize> = (1..=edges.len()).collect();
    json!({
        "reward": reward, "edge_ends": tokens, "edge_sources": sources, "edge_targets": targets,
        "token_mask": vec![true; edges.len()],
    })
}

fn graphs() -> Value {
    json!([
        graph(1.0, &["ab", "bc"]),
        graph(0.0, &["ab", "ac"]),
        graph(1.0, &["bc", "ac"]),
        graph(0.0, &["ac"]),
    ])
}

/// The numeric check of the section, with its epsilon and with none.
#[test]
fn edges_of_four_graphs() {
    let got = given("graph_grpo", json!({}), graphs());
    close(&signal(&got, "r0", "edge_scores"), &[0.5, 1.0]);
    close(&advantages(&got, "r0"), &[-0.39223089, 1.37280810]);
    close(&advantages(&got, "r1"), &[-0.39223089, -0.98057721]);
    close(&advantages(&got, "r2"), &[1.37280810, -0.98057721]);
    close(&advantages(&got, "r3"), &[-0.98057721]);
    let exact = given("graph_grpo", json!({"eps": 0}), graphs());
    close(&advantages(&exact, "r2"), &[1.37281295, -0.98058068]);
}

/// The policy-gradient part of the section's loss: `-(1 / K) sum A log P`.
#[test]
fn loss_of_the_section() {
    let got = given("graph_grpo", json!({}), graphs());
    let log_of = [[0.6f64, 0.5].as_slice(), &[0.6, 0.4], &[0.5, 0.4], &[0.4]];
    let loss: f64 = log_of
        .iter()
        .enumerate()
        .flat_map(|(i, chances)| {
            let credit = advantages(&got, &format!("r{i}"));
            credit.into_iter().zip(chances.iter()).map(|(a, p)| -a * p.ln() / 4.0).collect::<Vec<_>>()
        })
        .sum();
    close(&[loss], &[-0.2982721214]);
}

#[test]
fn whole_graphs_are_grpo() {
    let settings = json!({"unit": "graph", "ddof": 1});
    let (got, grpo) = (given("graph_grpo", settings, graphs()), given("grpo", json!({}), graphs()));
    for id in ["r0", "r1", "r2", "r3"] {
        close(&advantages(&got, id), &advantages(&grpo, id));
    }
}

/// Graphs that all succeed teach nothing about their edges, and neither does a group with one edge.
#[test]
fn equal_rewards_and_one_edge() {
    let solved = given("graph_grpo", json!({}), json!([graph(1.0, &["ab", "bc"]), graph(1.0, &["ac"])]));
    assert_eq!(advantages(&solved, "r0"), [0.0, 0.0]);
    let one = given("graph_grpo", json!({}), json!([graph(1.0, &["ab"]), graph(0.0, &["ab"])]));
    assert_eq!(advantages(&one, "r0"), [0.0]);
}
