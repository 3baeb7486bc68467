//! BranchGRPO: the clipped loss over the edges of denoising trees.

use super::steps::{CLIP, Steps, trained};
use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::parameter;

/// `L = sum_e max(-A r, -A clip(r)) / (accumulation max(1, floor(edges / trees)))` over the trained edges
/// of the batch, whose groups are its trees. `A` is the advantage of the edge's child.
///
/// The part `mean_loss` is the mean over edges, which the reference reports; the sum is what its one
/// backward pass per edge adds up.
pub const BRANCH_GRPO: NamedObjective = NamedObjective {
    name: "branch_grpo",
    title: "the clipped loss over edges of denoising trees",
    citation: "Li et al. 2025, BranchGRPO, arXiv 2509.06040",
    formula: "sum_e max(-A r, -A clip(r)) / (accumulation max(1, floor(edges / trees)))",
    parameters: &[
        CLIP,
        &[parameter("gradient_accumulation", "1", "edges that the reference accumulates before a step")],
    ],
    build: |parameters| {
        let steps = Steps::of(parameters)?;
        let accumulation = parameters.number("gradient_accumulation")?;
        Ok(function("branch_grpo", move |columns| {
            let mut trees: Vec<usize> =
                (0..columns.rollouts()).map(|rollout| columns.group(rollout)).collect();
            trees.sort_unstable();
            trees.dedup();
            let edges = trained(columns);
            let per_tree = (edges / trees.len().max(1) as f64).floor().max(1.0);
            let mut loss = steps.sum(columns, |_| 1.0 / (accumulation * per_tree))?;
            loss.parts.insert("mean_loss".into(), loss.value / edges.max(1.0));
            Ok(loss)
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "as the code, which steps the optimiser after every `gradient_accumulation` \
    edges of a shuffled list; here the whole batch is one sum. Which edges are trained (pruning, \
    windows) is the mask";
