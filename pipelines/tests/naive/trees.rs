//! Methods on trees and graphs of steps, as plain loops over the rollouts of one group.

use std::collections::BTreeMap;

use crate::data::Rollout;
use crate::methods::{Advantages, rewards, z1};

/// SALT: steps with the same decision share the mean of their rollouts' advantages. With all history, a
/// decision is everything up to and with the next state.
pub fn salt(group: &[Rollout]) -> Advantages {
    let relative = z1(&rewards(group));
    let mut shared: BTreeMap<Vec<usize>, Vec<f64>> = BTreeMap::new();
    let mut of_steps: Vec<Vec<Vec<usize>>> = Vec::new();
    for (rollout, relative) in group.iter().zip(&relative) {
        let steps: Vec<(usize, usize)> =
            rollout.policy_steps().map(|step| (step.state, step.action)).collect();
        let mut keys = Vec::new();
        for at in 0..steps.len() {
            let mut key = Vec::new();
            for (state, action) in &steps[..=at] {
                key.extend([*state, *action]);
            }
            key.push(steps.get(at + 1).map_or(usize::MAX, |next| next.0));
            shared.entry(key.clone()).or_default().push(*relative);
            keys.push(key);
        }
        of_steps.push(keys);
    }
    let mut all = Vec::new();
    for (rollout, keys) in group.iter().zip(of_steps) {
        let mut keys = keys.into_iter();
        all.push(rollout.on_tokens(|_| {
            let members = &shared[&keys.next().unwrap_or_default()];
            members.iter().sum::<f64>() / members.len() as f64
        }));
    }
    all
}

/// The mean reward of the rollouts through each node, by its id; the root is -1.
fn values(group: &[Rollout]) -> BTreeMap<i64, f64> {
    let mut through: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for rollout in group {
        through.entry(-1).or_default().push(rollout.reward);
        for step in rollout.policy_steps() {
            through.entry(step.node).or_default().push(rollout.reward);
        }
    }
    through.into_iter().map(|(node, all)| (node, all.iter().sum::<f64>() / all.len() as f64)).collect()
}

/// The parent of each node.
fn parents(group: &[Rollout]) -> BTreeMap<i64, i64> {
    let mut parents = BTreeMap::new();
    for rollout in group {
        let mut before = -1;
        for step in rollout.policy_steps() {
            parents.insert(step.node, before);
            before = step.node;
        }
    }
    parents
}

/// TreePS-RAG: what a node's value is above its parent's, normalised among the nodes of the tree.
pub fn treeps_rag(group: &[Rollout]) -> Advantages {
    let (values, parents) = (values(group), parents(group));
    let gains: Vec<f64> = parents.iter().map(|(node, parent)| values[node] - values[parent]).collect();
    let of_nodes: BTreeMap<i64, f64> = parents.into_keys().zip(z1(&gains)).collect();
    group.iter().map(|rollout| rollout.on_tokens(|step| of_nodes[&step.node])).collect()
}

/// TreeRL: over the root and over the parent, weakened by the square root of the rollouts below.
pub fn treerl(group: &[Rollout]) -> Advantages {
    let (values, parents) = (values(group), parents(group));
    let one = |rollout: &Rollout| {
        rollout.on_tokens(|step| {
            let mut below = 0.0;
            for other in group {
                below += f64::from(u8::from(other.policy_steps().any(|other| other.node == step.node)));
            }
            let value = values[&step.node];
            (value - values[&-1] + value - values[&parents[&step.node]]) / f64::sqrt(below)
        })
    };
    group.iter().map(one).collect()
}

/// The value of a node by recursion: the mean over its children and over the rollouts that end in it.
fn of_children(node: i64, group: &[Rollout], parents: &BTreeMap<i64, i64>) -> f64 {
    let mut parts: Vec<f64> = Vec::new();
    for rollout in group {
        if rollout.policy_steps().last().map_or(-1, |step| step.node) == node {
            parts.push(rollout.reward);
        }
    }
    for (child, parent) in parents {
        if *parent == node {
            parts.push(of_children(*child, group, parents));
        }
    }
    parts.iter().sum::<f64>() / parts.len() as f64
}

/// CARL: what an action changes, where the value of a state is the mean of those of its children.
pub fn carl(group: &[Rollout]) -> Advantages {
    let parents = parents(group);
    let value = |node: i64| of_children(node, group, &parents);
    let one = |rollout: &Rollout| rollout.on_tokens(|step| value(step.node) - value(parents[&step.node]));
    group.iter().map(one).collect()
}
