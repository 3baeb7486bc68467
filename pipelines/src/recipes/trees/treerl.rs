//! TreeRL: what a step adds over the root and over its parent.

use meed_operators::credit::{
    Credit, Expr, Reduction, fetch, group, leave_one_out, mask, mean, members, signal, when,
};
use meed_operators::tree::Backup;

use crate::parameters::{Parameter, parameter};
use crate::parts::nodes::leaves;
use crate::parts::tree::{TREE, Tree};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[parameter(
    "form",
    "paper",
    "paper: global and local advantage of the share of correct leaves; code: of centred leaves, as the released program has it",
)];

/// Values below this take that of the node before, in the released program.
const NOTHING: f64 = 1e-8;

/// TreeRL: `A(s) = (V(s) - V(root) + V(s) - V(parent)) / sqrt(leaves below s)`, `V` the mean outcome of the leaves
/// below.
///
/// The released program centres outcomes by those of the other leaves and by their mean over the tokens of the tree,
/// divides by the square root before it subtracts (so that a parent has its own number of leaves), gives a step that
/// changes nothing what the step before got, and adds `V(s)` in place of the comparison with the root. A shared step
/// is trained on in every rollout that has it; the square root makes up for that.
pub const TREERL: Recipe = Recipe {
    name: "treerl",
    title: "global plus local advantage of steps in a tree, weakened where many leaves are below",
    citation: "TreeRL: LLM Reinforcement Learning with On-Policy Tree Search, arXiv 2506.11902; leaf_normalize, compute_weighted_update",
    family: "trees",
    formula: "A(s) = ((V(s) - V(root)) + (V(s) - V(parent))) / sqrt(|L(s)|)",
    fidelity: Fidelity::Equations,
    deviations: "code: a rollout alone gets 0 where the released program stops; all leaves are selected",
    inputs: &[],
    parameters: &[PARAMETERS, TREE],
    plan: |parameters| {
        let tree = Tree::new(parameters, "reward", Backup::Leaves)?;
        let credit = match parameters.text("form")? {
            "paper" => {
                let compared = 2.0 * tree.value() - tree.root_value() - tree.parent_value();
                Credit::new().advantage(compared / leaves(&tree).sqrt())
            }
            "code" => as_released(&tree),
            _ => return Err(parameters.unknown("form", &["paper", "code"])),
        };
        Ok(tree.plan(credit))
    },
    ..ADVANTAGE
};

fn as_released(tree: &Tree) -> Credit {
    let reward = || signal("reward");
    let leaf = || signal("leaf");
    let below = || signal("leaf_means");
    let tokens = mask().reduce(tree.level(), Reduction::Sum).empty(0.0);
    let root = (mean(leaf(), group()) - signal("center")) / members(leaf(), group()).sqrt();
    let parent = fetch(signal("node_values"), tree.node(), tree.parent()).or_else(root);
    let unchanged = || signal("node_gains").abs().less(NOTHING);
    let filled: Expr =
        when(unchanged(), 0.0, signal("node_gains")).recur(when(unchanged(), 1.0, 0.0)).forward();
    Credit::new()
        .define("leaf", reward() - leave_one_out(reward(), group()).or_else(reward()))
        .define("leaf_means", tree.mean_below(leaf()))
        .define("center", mean(below(), group()).weighted(tokens))
        .define("node_values", (below() - signal("center")) / leaves(tree).sqrt())
        .define("node_gains", signal("node_values") - parent)
        .advantage(filled + signal("node_values"))
}
