//! PORTool: each call of a tool against the other calls from the same place, beside the outcome.

use meed_operators::credit::{Credit, Norm, mean, normalize, signal};
use meed_operators::tree::Backup;

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::nodes::{SIBLINGS, among_siblings};
use crate::parts::steps::judged;
use crate::parts::tree::Tree;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "step_format_ok",
    Of::Flag,
    "true where the step keeps the format and its tool ran",
    "the environment that runs the tools, or a rule; import it",
)];

const PARAMETERS: &[Parameter] = &[
    parameter("gamma", "0.95", "discount of an outcome per step that is left to it"),
    parameter("format_weight", "0.1", "weight of the format in a step's reward; at 0 it is not read"),
    parameter("trajectory_weight", "1.0", "weight of the rollout's advantage"),
    parameter("fork_weight", "1.0", "weight of the step's advantage among its siblings"),
];

/// PORTool: `r(s) = mean over the rollouts through s of gamma^(steps left) R + w_f format(s)`,
/// `A = w_1 normalize(R, by(group)) + w_2 normalize(r, by(parent))`. A step that rollouts share has one reward, and
/// counts once among its siblings; an only child has no advantage of its own.
pub const PORTOOL: Recipe = Recipe {
    name: "portool",
    title: "discounted outcomes below each step against its siblings, beside the rollout's advantage",
    citation: "PORTool: Tool-Use LLM Training with Rewarded Tree, arXiv 2510.26020",
    family: "trees",
    formula: "A = w1 normalize(R, by(group)) + w2 normalize(mean(gamma^left R) + wf format, by(group, parent), once per node)",
    fidelity: Fidelity::Reconstructed,
    deviations: "guessed: all values of parameters, the mean over the rollouts below rather than their best, that the rollout's advantage is of its outcome alone; an unfinished rollout has the outcome that the data gives it",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, SIBLINGS],
    plan: |parameters| {
        let gamma = parameters.number("gamma")?;
        let tree = Tree::of_steps("reward", Backup::Discounted { gamma }, None);
        let weight = parameters.number("format_weight")?;
        let format = || signal("step_format_ok");
        let (credit, reward) = match weight {
            0.0 => (Credit::new(), tree.value()),
            _ => (judged([format()]), tree.value() + weight * mean(format(), tree.by_node())),
        };
        let norm = Norm::group_std(parameters.number("eps")?);
        let fork = normalize(signal("step_node_rewards"), &among_siblings(parameters, &tree)?);
        let credit = credit
            .define("step_node_rewards", reward)
            .define("trajectory_advantage", normalize(signal("reward"), &norm))
            .define("step_fork_advantages", fork);
        let advantage = parameters.number("trajectory_weight")? * signal("trajectory_advantage")
            + parameters.number("fork_weight")? * signal("step_fork_advantages");
        Ok(tree.plan(credit.advantage(advantage)))
    },
    ..ADVANTAGE
};
