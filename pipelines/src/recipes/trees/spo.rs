//! SPO: segments are worth the change of value between their ends, in one rollout or in a tree.

use meed_operators::Result;
use meed_operators::credit::{Credit, Level, gae, normalize, signal, when};
use meed_operators::tree::Backup;

use crate::inputs::{Input, Of, input, items};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::nodes::{SHARED, credited, over_deviation_of_siblings};
use crate::parts::steps::acting;
use crate::parts::tree::{TREE, Tree};
use crate::recipe::{ADVANTAGE, Plan, Recipe};

const INPUTS: &[Input] = &[
    items(
        "segment_values",
        Of::Number,
        "mean outcome of continuations that the policy sampled from the prefix before the segment, for chain",
        "a sampler that continues from the beginning of every segment and rewards the results, or an import",
    ),
    input(
        "segment_ends",
        Of::Count,
        "exclusive token offsets of the segments, for chain: every so many uncertain tokens",
        "the sampler that cuts the response, or an import",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("variant", "chain", "chain: segments of a rollout with sampled values; tree: nodes of a tree"),
    parameter(
        "probability_below",
        "0.9",
        "chain: only tokens that were sampled with less than this probability have an advantage; 1: all",
    ),
    parameter(
        "style",
        "rloo",
        "tree: rloo (the difference to the parent), grpo (to the mean of the siblings, over their deviation)",
    ),
    parameter("eps", "1e-8", "tree, grpo: added to the deviation"),
];

/// SPO: `A = V(after) - V(before)`. In a chain, values are those of segments, and the last one ends with the outcome;
/// only uncertain tokens have it. In a tree, the value of a node is the mean of those of its children, a leaf's its
/// outcome, and nodes that change nothing are left out of the loss. The mean of siblings is the value of their parent
/// unless a rollout ends there; an only child has nothing to deviate from, and gets 0.
pub const SPO: Recipe = Recipe {
    name: "spo",
    title: "change of value by each segment, from sampled values or from a tree",
    citation: "Segment Policy Optimization, arXiv 2505.23564; AIFrameResearch/SPO",
    family: "trees",
    formula: "A = V(next) - V(segment) [p < 0.9]; in a tree A = V(child) - V(parent), or (V(child) - mean(V of the siblings)) / (std(V of the siblings) + eps)",
    deviations: "where a chain is cut is the sampler's; that a shared node is trained on once is guessed",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, SHARED, TREE],
    plan: |parameters| match parameters.text("variant")? {
        "chain" => chain(parameters),
        "tree" => tree(parameters),
        _ => Err(parameters.unknown("variant", &["chain", "tree"])),
    },
    ..ADVANTAGE
};

fn chain(parameters: &Parameters) -> Result<Plan> {
    let segment = || Level::named("segment");
    let acting = || acting(segment());
    let outcome = signal("reward").at_last(segment()).over(acting());
    let advantage = gae(outcome, signal("segment_values"), 1.0, 0.0, acting());
    let credit = Credit::new().define("segment_advantages", advantage);
    let below = parameters.number("probability_below")?;
    let advantage = match below {
        1.0 => signal("segment_advantages"),
        _ => when(signal("token_rollout_logprobs").exp().less(below), signal("segment_advantages"), 0.0),
    };
    Ok(credit.advantage(advantage).into())
}

fn tree(parameters: &Parameters) -> Result<Plan> {
    let tree = Tree::new(parameters, "reward", Backup::Children)?;
    let advantage = match parameters.text("style")? {
        "rloo" => tree.value() - tree.parent_value(),
        "grpo" => normalize(tree.value(), &over_deviation_of_siblings(parameters, &tree)?),
        _ => return Err(parameters.unknown("style", &["rloo", "grpo"])),
    };
    let credit = Credit::new().define("node_advantages", advantage).advantage(signal("node_advantages"));
    credited(parameters, tree, credit, signal("node_advantages").differs(0.0))
}
