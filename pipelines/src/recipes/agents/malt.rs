//! MALT: a tree of roles whose nodes are worth the mean of their children, sorted into imitation and pairs.

use meed_operators::credit::{Credit, Expr, signal, sum, text, when};
use meed_operators::tree::Backup;

use crate::parameters::{Parameter, parameter};
use crate::parts::steps::{indicator, truth};
use crate::parts::tree::Tree;
use crate::recipe::{Fidelity, Recipe, SELECTION};

const PARAMETERS: &[Parameter] = &[
    parameter("threshold", "0.5", "a node is positive where its value is greater"),
    parameter(
        "without_pairs",
        r#"["generator"]"#,
        "the roles (step_agents) whose nodes are imitated, but form no pairs",
    ),
];

/// MALT: the value of a node is the mean over its children, that of a leaf its reward; positive nodes are
/// imitated, and of siblings every positive one is chosen against every negative one.
///
/// A rollout is a path of the tree (generator, verifier, refiner), its steps are the outputs of the roles, and
/// `step_nodes` say which of them are the same. A node is trained on once, in the first rollout that passes it:
/// `step_imitated` says whether (supervised), `step_chosen` and `step_rejected` whether it is in pairs, and
/// `step_pairs` in how many. Siblings that are all positive, or all negative, are no pairs.
pub const MALT: Recipe = Recipe {
    name: "malt",
    title: "role outputs by the mean value of what follows: imitated, or paired with their siblings",
    citation: "MALT, arXiv 2412.01928",
    family: "agents",
    objective: ("dpo", &[("beta", "0.2")]),
    formula: "V(node) = mean(V(children)), V(leaf) = 1[correct]; positive: V > 0.5; pairs: positive and negative siblings",
    fidelity: Fidelity::Equations,
    deviations: "a leaf without a reward takes no part, where a failed generation is assumed to count 0; which siblings are paired is all of them, as the paper's sets are",
    inputs: &[],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let tree = Tree::of_steps("reward", Backup::Children, None);
        let of_siblings = |x: Expr| sum(x, tree.by_parent()).once_per(tree.node());
        let in_pairs = parameters
            .texts("without_pairs")?
            .iter()
            .fold(truth(), |all, role| all.and(signal("step_agents").differs(text(role))));
        let (positive, first) = (|| signal("step_positive"), || signal("step_first"));
        let paired = || signal("step_pairs").greater(0.0);
        let credit = Credit::new()
            .define("step_positive", tree.value().greater(parameters.number("threshold")?))
            .define("step_first", tree.first())
            .define("step_imitated", positive().and(first()))
            .define("step_positive_siblings", of_siblings(indicator(positive())))
            .define("step_negative_siblings", of_siblings(indicator(positive().negated())));
        let others = when(positive(), signal("step_negative_siblings"), signal("step_positive_siblings"));
        let credit = credit
            .define("step_pairs", when(in_pairs.and(first()), others, 0.0))
            .define("step_rejected", paired().and(positive().negated()))
            .define("step_chosen", paired().and(positive()));
        Ok(tree.plan(credit))
    },
    ..SELECTION
};
