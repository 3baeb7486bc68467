//! A3: the section's check, and what it gives where nothing can be compared.

use serde_json::{Value, json};

use crate::support::{advantages, close, given, in_loss, signal, try_given};

fn trajectories(of: &[(f64, &[&str])]) -> Value {
    let rollout = |&(reward, commands): &(f64, &[&str])| {
        let ends: Vec<usize> = (1..=commands.len()).collect();
        json!({
            "reward": reward, "step_actions": commands, "step_ends": ends,
            "step_kinds": vec!["policy"; commands.len()], "token_mask": vec![true; commands.len()],
        })
    };
    of.iter().map(rollout).collect()
}

#[test]
fn a3_scores_outcomes_robustly() {
    let rollouts =
        trajectories(&[(1.0, &["ls"]), (0.0, &["ls"]), (0.0, &["ls"]), (1.0, &["ls"]), (0.0, &["ls"])]);
    let given = given("a3", json!({}), rollouts);
    for (id, wanted) in [("r0", 0.964027), ("r1", 0.0), ("r2", 0.0), ("r3", 0.964027), ("r4", 0.0)] {
        close(&signal(&given, id, "step_backbone"), &[wanted]);
    }
}

#[test]
fn a3_rewards_the_better_side_of_a_fork() {
    let rollouts = trajectories(&[
        (1.0, &["cat a.txt"]),
        (1.0, &["cat a.txt"]),
        (0.0, &["python run.py --all"]),
        (0.0, &["python run.py --all"]),
    ]);
    let forked = given("a3", json!({}), rollouts.clone());
    for (id, gain) in [("r0", 0.476190), ("r1", 0.476190), ("r2", -0.476190), ("r3", -0.476190)] {
        close(&signal(&forked, id, "step_gains"), &[gain]);
        close(&signal(&forked, id, "step_supports"), &[2.0 / 2.1]);
    }
    // One cluster of all: nobody decides anything.
    let alike = given("a3", json!({ "trie_min_count": 4 }), rollouts);
    close(&signal(&alike, "r0", "step_gains"), &[0.0]);
}

/// `B tanh((b / mean|b| + 0.65 tr / mean|tr| + tree / mean|tree|) / B)`.
fn merged(parts: [Vec<f64>; 3]) -> Vec<f64> {
    let [backbone, trie, tree] = parts.map(|part| -> Vec<f64> {
        let mean = part.iter().map(|x| x.abs()).sum::<f64>() / part.len() as f64;
        part.iter().map(|x| x / (mean + 1e-9)).collect()
    });
    (0..tree.len()).map(|at| 1.1 * ((backbone[at] + 0.65 * trie[at] + tree[at]) / 1.1).tanh()).collect()
}

#[test]
fn a3_merges_parts_by_their_sizes() {
    let rollouts = trajectories(&[(1.0, &["ls", "cat a"]), (0.0, &["pwd"]), (0.5, &["ls", "wc -l a", "ls"])]);
    let given = given("a3", json!({}), rollouts);
    let ids = ["r0", "r1", "r2"];
    let part = |name: &str| -> Vec<f64> { ids.iter().flat_map(|id| signal(&given, id, name)).collect() };
    let got: Vec<f64> = ids.iter().flat_map(|id| advantages(&given, id)).collect();
    close(&got, &merged(["step_backbone", "step_trie", "step_tree"].map(part)));
    // The section's numbers, of parts that no commands give.
    let parts =
        [[0.964027, 0.0, 0.0, 0.964027, 0.0], [0.4, -0.2, 0.0, 0.1, -0.3], [0.0, 0.0, 0.0, 0.2, -0.2]];
    close(&merged(parts.map(|part| part.to_vec())), &[1.097805, -0.583604, 0.0, 1.099863, -1.096040]);
}

#[test]
fn a3_of_one_rollout_says_nothing() {
    let given = given("a3", json!({}), trajectories(&[(1.0, &["ls", "cat a"])]));
    close(&advantages(&given, "r0"), &[0.0, 0.0]);
}

#[test]
fn a3_leaves_out_a_rollout_without_a_command() {
    let mut rollouts = trajectories(&[(1.0, &["ls", "cat a"]), (0.0, &["pwd", "ls"]), (0.0, &["ls", "ls"])]);
    let without = given("a3", json!({}), Value::from(rollouts.as_array().unwrap()[..2].to_vec()));
    rollouts[2]["step_actions"][0] = Value::Null;
    let given = given("a3", json!({}), rollouts);
    assert!(!in_loss(&given, "r2"));
    close(&advantages(&given, "r0"), &advantages(&without, "r0"));
}

#[test]
fn a3_refuses_scopes_without_weights() {
    let rollouts = trajectories(&[(1.0, &["ls"])]);
    for settings in [json!({ "scopes": [1, 2] }), json!({ "scopes": [0], "scope_weights": [1] })] {
        assert!(try_given("a3", settings.clone(), rollouts.clone()).is_err(), "{settings}");
    }
}
