//! HRM: the share of correct leaves below each node labels its step, and the pair with the step before.

use meed_operators::credit::{Credit, ROLLOUT, Reduction, STEP, group, mean, signal};

use super::inputs::STEP_NODES;
use crate::parts::steps::{indicator, is_correct, steps_before};
use crate::recipe::{Fidelity, REWARD, Recipe};

/// HRM's labels: `label(node) = correct leaves below / leaves below`, for the step alone and for the step
/// merged with the one before, which has the label of the later step, so that a correction is credited.
///
/// A rollout is a path to a leaf, and paths to one leaf count once. `rewards` are the labels of single steps,
/// `step_pair_labels` those of the pairs that end with the step, null at the first one. The root is no step;
/// the released code gives it 1.
pub const HRM: Recipe = Recipe {
    name: "hrm",
    title: "share of correct leaves below each step, for steps and merged pairs of steps",
    citation: "Wang et al. 2025, Hierarchical Multi-Step Reward Models, arXiv 2503.13551; tengwang0318/hierarchial_reward_model",
    family: "process",
    formula: "label(step) = mean(correct, leaves below its node); label(previous + step) = label(step)",
    fidelity: Fidelity::Equations,
    deviations: "the random compression of nodes (HNC) is an augmentation of the tree before labels, not part of them",
    inputs: &[&[STEP_NODES]],
    parameters: &[],
    plan: |_| {
        let leaf = signal("step_nodes").reduce(ROLLOUT, Reduction::Last);
        let below = group().and(signal("step_nodes"));
        let label = mean(indicator(is_correct()).spread(STEP), below).once_per(leaf);
        let pair = signal("rewards").null_if(steps_before().equals(0.0));
        Ok(Credit::new().define("rewards", label).define("step_pair_labels", pair).into())
    },
    ..REWARD
};
