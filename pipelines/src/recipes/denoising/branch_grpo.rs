//! BranchGRPO: rewards of leaves, fused up a denoising tree and compared by depth, on edges that are pruned.

use meed_operators::credit::{Center, Norm, Scale, ZeroStd, group, normalize, signal};
use meed_operators::tree::Backup;

use super::branch_pruning::{PRUNING, deep, wide};
use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::steps::{indicator, judged};
use crate::parts::tree::Tree;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "step_old_logprobs",
    Of::Number,
    "log-probability of the step under the policy that sampled it, a mean over latent elements; null counts as 0",
    "the sampler records it with each stochastic step, on import",
)];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "fusion",
        "mean",
        "value of a node: mean (of the leaves below), probability (of its children, by the softmax of their log-probabilities), path (of the leaves, by the softmax of their paths')",
    ),
    parameter("eps", "1e-8", "added to the deviation"),
    parameter("std_floor", "1e-6", "nodes of a depth whose deviation is not above it get 0"),
];

/// BranchGRPO: `A(n) = (v(n) - mean_d) / (std_d + eps)` over the nodes of a depth of one tree, where `v` is the mean
/// reward of the leaves below. A step is an edge and has the advantage of the node that it leads to.
///
/// An edge that several rollouts share is trained once: it has weight 1 in the first, 0 in the others and where it
/// is pruned. Pruning changes no reward and no advantage.
pub const BRANCH_GRPO: Recipe = Recipe {
    name: "branch_grpo",
    title: "rewards fused up a denoising tree, compared by depth",
    citation: "Li et al. 2025, BranchGRPO, arXiv 2509.06040; Fredreic1849/BranchGRPO",
    family: "denoising",
    objective: ("branch_grpo", &[]),
    formula: "A(n) = (v(n) - mean_depth) / (std_depth + 1e-8), v = mean reward of the leaves",
    fidelity: Fidelity::Reference,
    deviations: "edges are in canonical order, where the program shuffles them; a step of training is an iteration unless current_step says otherwise",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, PRUNING],
    plan: |parameters| {
        let (backup, edges) = match parameters.text("fusion")? {
            "mean" => (Backup::Leaves, None),
            "probability" => (Backup::SoftmaxChildren { scale: 1.0 }, Some("step_old_logprobs")),
            "path" => (Backup::SoftmaxLeaves { scale: 1.0 }, Some("step_old_logprobs")),
            _ => return Err(parameters.unknown("fusion", &["mean", "probability", "path"])),
        };
        let tree = Tree::of_steps("reward", backup, edges);
        let by_depth = group().and(tree.depth());
        let norm = Norm {
            center: Center::Mean(by_depth.clone()),
            scale: Scale::Std(by_depth),
            zero_std: ZeroStd::ZeroBelow(parameters.number("std_floor")?),
            once_per: Some(tree.node()),
            ..Norm::group_std(parameters.number("eps")?)
        };
        let credit = judged([])
            .define("fused_reward", tree.root_value())
            .define("step_fused_rewards", tree.value())
            .advantage(normalize(signal("step_fused_rewards"), &norm))
            .define("step_deep", indicator(tree.first().and(deep(parameters, &tree)?)))
            .weights(wide(parameters, &tree)?);
        Ok(tree.plan(credit))
    },
    ..ADVANTAGE
};
