//! Trees: branches share their parents' tokens and log-probabilities, and are recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use meed_operators::policy::Characters;
use meed_operators::sample::Sampler;
use meed_operators::sample::strategy::{BranchBy, Tree};

use super::environments::{self, Countdowns};
use super::fakes::{Dice, check_rows, floats, integers, joined, prompts, rewards, sample, text, texts};

fn sampler(branch_by: BranchBy) -> Sampler {
    let strategy = Arc::new(Tree { initial: 3, branch_by });
    Sampler { strategy, ..Sampler::new(Arc::new(Characters), 8, 20) }
}

fn split(rows: &RecordBatch, row: usize) -> Option<usize> {
    let splits = rows.column_by_name("split_token").unwrap().as_primitive::<Int64Type>();
    splits.is_valid(row).then(|| splits.value(row) as usize)
}

/// Checks that every branch begins as its parent does, and returns parent row and shared length by row.
fn check_branches(rows: &RecordBatch) -> BTreeMap<usize, (usize, usize)> {
    let ids = texts(rows, "rollout_id");
    let mut branches = BTreeMap::new();
    for row in 0..rows.num_rows() {
        let parent = text(rows, "parent_rollout_id", row);
        let kind = text(rows, "kind", row).unwrap();
        assert_eq!(kind, if parent.is_some() { "branch" } else { "init" });
        let Some(parent) = parent else {
            continue;
        };
        let parent = ids.iter().position(|id| *id == Some(parent.clone())).unwrap();
        let shared = split(rows, row).map_or(0, |token| token + 1);
        assert_eq!(integers(rows, "token_ids", row)[..shared], integers(rows, "token_ids", parent)[..shared]);
        assert!(integers(rows, "token_ids", row).len() > shared);
        let (mine, its) =
            (floats(rows, "token_rollout_logprobs", row), floats(rows, "token_rollout_logprobs", parent));
        assert_eq!(mine[..shared], its[..shared]);
        branches.insert(row, (parent, shared));
    }
    branches
}

#[test]
fn branches_share_their_prefix() {
    let appo = BranchBy::Appo { gamma: 1.0, value_clip: 0.2 };
    for branch_by in [BranchBy::Fixed(vec![2, 5]), BranchBy::Entropy, appo] {
        let sampler = sampler(branch_by.clone());
        let tasks = prompts(4);
        let policy = || Dice::new(12, "abcdef ");
        let sampled = sample(&sampler, policy(), &tasks);
        let rows = sampled.rollouts;
        assert_eq!(rows.num_rows(), 32);
        check_rows(&rows);
        let branches = check_branches(&rows);
        assert_eq!(branches.len(), 20);
        let differing = branches.iter().filter(|(row, (parent, _))| {
            integers(&rows, "token_ids", **row) != integers(&rows, "token_ids", *parent)
        });
        assert!(differing.count() >= 15);
        let parts: Vec<_> = tasks.chunks(3).map(|part| sample(&sampler, policy(), part).rollouts).collect();
        assert_eq!(joined(&parts), rows);
        match branch_by {
            BranchBy::Fixed(_) => {
                assert!(branches.values().all(|(_, shared)| [2, 5].contains(shared)));
            }
            BranchBy::Entropy => {
                // The token that is drawn again has the highest entropy of the group's initial rollouts.
                let first = branches.iter().find(|(row, _)| **row == 3).unwrap().1;
                let highest = (0..3).flat_map(|row| floats(&rows, "token_entropies", row)).flatten();
                let highest = highest.fold(0.0, f32::max);
                assert_eq!(floats(&rows, "token_entropies", first.0)[first.1], Some(highest));
            }
            // Both log-probabilities are the same, so that entropy decides.
            BranchBy::Appo { .. } => {
                let scores = rows.column_by_name("branch_score").unwrap().as_primitive::<Float64Type>();
                assert!(branches.keys().all(|row| scores.value(*row) == 0.0));
                let entropy = |row: usize| {
                    let (parent, shared) = branches[&row];
                    floats(&rows, "token_entropies", parent)[shared - 1].unwrap()
                };
                assert!((3..7).all(|row| entropy(row) >= entropy(row + 1)));
            }
        }
    }
}

#[test]
fn the_tree_is_recorded() {
    let sampled = sample(&sampler(BranchBy::Fixed(vec![2, 5])), Dice::new(30, "abcdef"), &prompts(2));
    let (rows, nodes) = (sampled.rollouts, sampled.nodes.unwrap());
    let column = |name: &str| nodes.column_by_name(name).unwrap().as_primitive::<Int64Type>();
    let (ids, parents, visits) = (column("node_id"), column("parent_id"), column("visits"));
    let groups = texts(&nodes, "group_id");
    let values = nodes.column_by_name("value").unwrap().as_primitive::<Float64Type>();
    for group in ["task-0", "task-1"] {
        let members: Vec<usize> = (0..rows.num_rows())
            .filter(|row| text(&rows, "group_id", *row).as_deref() == Some(group))
            .collect();
        let own: Vec<usize> =
            (0..nodes.num_rows()).filter(|row| groups[*row].as_deref() == Some(group)).collect();
        assert_eq!(
            own.iter().map(|row| ids.value(*row)).collect::<Vec<_>>(),
            (0..own.len() as i64).collect::<Vec<_>>()
        );
        assert!(parents.is_null(own[0]) && own[1..].iter().all(|row| parents.is_valid(*row)));
        assert_eq!(visits.value(own[0]), 8);
        let mean = members.iter().map(|row| rewards(&rows)[*row].unwrap()).sum::<f64>() / 8.0;
        assert!((values.value(own[0]) - mean).abs() < 1e-12);
        let leaves: Vec<String> = own.iter().filter_map(|row| text(&nodes, "metadata", *row)).collect();
        assert_eq!(leaves.len(), 8);
    }
}

#[test]
fn branches_repeat_the_shared_turns_to_their_environment() {
    let environments = Countdowns { from: 3, turn_end: None, max_turns: 10 };
    let sampler = Sampler {
        strategy: Arc::new(Tree { initial: 2, branch_by: BranchBy::Entropy }),
        group_size: 8,
        ..environments::sampler(environments, 1000)
    };
    let rows = sample(&sampler, Dice::new(6, "abcdef"), &prompts(5)).rollouts;
    check_rows(&rows);
    assert_eq!(check_branches(&rows).len(), 30);
    let later = check_branches(&rows).into_iter().filter(|(row, (_, shared))| {
        assert_eq!(text(&rows, "status", *row).as_deref(), Some("complete"));
        assert_eq!(integers(&rows, "step_turns", *row), [0, 0, 0, 1, 1, 2]);
        integers(&rows, "step_ends", *row)[2] <= *shared as i32
    });
    assert!(later.count() > 5, "branches in later turns");
}
