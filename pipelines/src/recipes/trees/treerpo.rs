//! TreeRPO: expected outcomes of steps, compared among the children of one node.

use meed_operators::credit::{Credit, normalize};
use meed_operators::tree::Backup;

use crate::parts::nodes::{SHARED, SIBLINGS, among_siblings, credited, siblings};
use crate::parts::tree::{TREE, Tree};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

/// TreeRPO: the reward of a step is the mean of those of its children, that of a leaf its outcome; its advantage is
/// GRPO's among the children of its parent, `(r - mean) / (std + eps)`. An only child is compared with nothing and not
/// trained on.
pub const TREERPO: Recipe = Recipe {
    name: "treerpo",
    title: "expected outcome of each step, normalised among its siblings",
    citation: "TreeRPO: Tree Relative Policy Optimization, arXiv 2506.05183",
    family: "trees",
    formula: "A(n) = normalize(r(n), by(group, parent), once per node), r(n) = mean(r of its children)",
    fidelity: Fidelity::Reconstructed,
    deviations: "guessed: the sample deviation, its epsilon, that a shared step is trained on once; the paper's pruning of groups of equal rewards follows from their advantages of 0",
    inputs: &[],
    parameters: &[SIBLINGS, SHARED, TREE],
    plan: |parameters| {
        let tree = Tree::new(parameters, "reward", Backup::Children)?;
        let advantage = normalize(tree.value(), &among_siblings(parameters, &tree)?);
        let compared = siblings(&tree).greater(1.0);
        credited(parameters, tree, Credit::new().advantage(advantage), compared)
    },
    ..ADVANTAGE
};
