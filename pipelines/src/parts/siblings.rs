//! Pairs of steps that part from one node: the best of its children against the worst.

use meed_operators::credit::{By, Credit, Expr, maximum, minimum, rank, rollout, signal, trainable};

use crate::parts::steps::{indicator, truth};
use crate::parts::tree::Tree;

/// Adds `step_chosen` and `step_rejected`, true at the first child with the greatest and with the least value among
/// the children of each node whose values are more than `gap` apart, `step_pair_ids` (the node that they part from) and
/// `step_pair_weights`, 1 at both and 0 elsewhere. A node that several rollouts pass counts once, in the first of them,
/// with all of its steps there.
pub fn sibling_pairs(tree: &Tree, credit: Credit, value: Expr, gap: f64) -> Credit {
    let apart = |by: By| maximum(signal("step_q"), by.clone()) - minimum(signal("step_q"), by);
    let first = || trainable().only(signal("step_first"));
    let selected = |ascending: bool| {
        let place = rank(signal("step_q"), tree.by_parent(), ascending).over(first());
        let of_node = maximum(indicator(place.equals(0.0)), rollout().and(tree.node())).greater(0.0);
        of_node.and(signal("step_value_gaps").greater(gap)).or_else(truth().negated())
    };
    credit
        .define("step_q", value)
        .define("step_first", tree.first())
        .define("step_value_gaps", apart(tree.by_parent()))
        .define("step_pair_ids", tree.parent())
        .define("step_chosen", selected(false))
        .define("step_rejected", selected(true))
        .define("step_pair_weights", indicator(signal("step_chosen").or(signal("step_rejected"))))
}
