//! CARL: actions at forks are worth what they change; others are not trained on.

use meed_operators::credit::Credit;
use meed_operators::tree::Backup;

use crate::parts::nodes::{SHARED, credited, siblings};
use crate::parts::tree::{TREE, Tree};
use crate::recipe::{ADVANTAGE, Recipe};

/// CARL: `A(action) = V(after) - V(before)`, the value of a state the mean of those of its children, that of a leaf
/// its outcome. Actions from a state with one child are left out of the loss; nothing is divided by a deviation.
///
/// Which states are forked (those of least visits per entropy) is the sampler's.
pub const CARL: Recipe = Recipe {
    name: "carl",
    title: "change of value by each action at a fork; actions without alternative are not trained on",
    citation: "CARL, arXiv 2512.04949; not CaRL, a design of rewards",
    family: "trees",
    formula: "A = V(child) - V(parent), V = mean(V of the children); weight = [the parent has several children]",
    deviations: "that a shared action is trained on once is guessed",
    inputs: &[],
    parameters: &[SHARED, TREE],
    plan: |parameters| {
        let tree = Tree::new(parameters, "reward", Backup::Children)?;
        let credit = Credit::new().advantage(tree.value() - tree.parent_value());
        let critical = siblings(&tree).greater(1.0);
        credited(parameters, tree, credit, critical)
    },
    ..ADVANTAGE
};
