//! TreePS-RAG: what a step of a retrieval agent changes in the share of answers that will be right.

use meed_operators::credit::{Credit, Norm, normalize, signal};
use meed_operators::tree::Backup;

use crate::parameters::{Parameter, parameter};
use crate::parts::group::{GROUP, group_norm};
use crate::parts::nodes::{SHARED, credited};
use crate::parts::tree::{TREE, Tree};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[parameter(
    "advantage",
    "local",
    "local: the node's value less its parent's; global_and_local: the root's is subtracted too, from the value once more",
)];

/// TreePS-RAG: `V(n)` is the mean outcome of the leaves below a step, `A(n) = normalize(V(n) - V(parent))` over the
/// nodes of the prompt's tree, each counted and trained on once.
pub const TREEPS_RAG: Recipe = Recipe {
    name: "treeps_rag",
    title: "change in mean outcome below each step of the search tree, normalised over its nodes",
    citation: "TreePS-RAG: Tree-based Process Supervision for Reinforcement Learning in Agentic RAG, arXiv 2601.06922",
    family: "trees",
    formula: "A(n) = normalize(V(n) - V(parent(n)), by(group), once per node), V(n) = mean(R of the leaves below)",
    fidelity: Fidelity::Reconstructed,
    deviations: "guessed from the abstract: which values are compared, the normalisation over nodes, that shared nodes are trained on once; which nodes are pruned while the tree grows is the sampler's, and what is not in the data counts nowhere",
    inputs: &[],
    parameters: &[PARAMETERS, GROUP, SHARED, TREE],
    plan: |parameters| {
        let tree = Tree::new(parameters, "reward", Backup::Leaves)?;
        let local = tree.value() - tree.parent_value();
        let changed = match parameters.text("advantage")? {
            "local" => local,
            "global_and_local" => tree.value() - tree.root_value() + local,
            _ => return Err(parameters.unknown("advantage", &["local", "global_and_local"])),
        };
        let norm = Norm { once_per: Some(tree.node()), ..group_norm(parameters)? };
        let credit = Credit::new()
            .define("node_advantages", changed)
            .advantage(normalize(signal("node_advantages"), &norm));
        let known = signal("node_advantages").is_null().negated();
        credited(parameters, tree, credit, known)
    },
    ..ADVANTAGE
};
