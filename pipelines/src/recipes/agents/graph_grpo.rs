//! Graph-GRPO: edges of sampled communication graphs, by how often the graphs that have them succeed.

use meed_operators::credit::{Credit, Level, TOKEN, group, mean, signal, trainable};

use crate::inputs::{Input, Of, items};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::group_advantage;
use crate::parts::shaped::group_with;
use crate::parts::units::among_units;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const SAMPLER: &str = "the policy of topologies that sampled the graph, or an import of its edges";

const INPUTS: &[Input] = &[
    items(
        "edge_ends",
        Of::Count,
        "token after each edge that was drawn: a policy of topologies has one token per edge",
        SAMPLER,
    ),
    items(
        "edge_sources",
        Of::Text,
        "agent where the edge begins; a graph has each edge at most once",
        SAMPLER,
    ),
    items("edge_targets", Of::Text, "agent where the edge ends", SAMPLER),
];

const PARAMETERS: &[Parameter] = &[parameter(
    "unit",
    "edge",
    "edge: an edge is compared with the other edges of the group; graph: every edge has the group-relative advantage of its graph",
)];

/// Graph-GRPO: `S_ij = mean reward of the graphs with edge ij`, `A_ij = (S_ij - mean(S)) / (std(S) + eps)` over
/// the distinct edges of the group.
///
/// A rollout is one sampled graph, and its tokens are the edges that were drawn. An edge that no graph of the
/// group has is in no rollout. Nothing shrinks the score of an edge that was drawn once.
pub const GRAPH_GRPO: Recipe = Recipe {
    name: "graph_grpo",
    title: "edges of communication graphs by the success rate of the graphs that have them",
    citation: "Graph-GRPO: Stabilizing Multi-Agent Topology Learning via Group Relative Policy Optimization, arXiv 2603.02701, Eq. 4 and 5",
    family: "agents",
    objective: ("reinforce", &[]),
    formula: "S = mean(R, by(group, edge)); A = (S - mean(S)) / (std(S) + eps) over distinct edges",
    fidelity: Fidelity::Equations,
    deviations: "read from summaries of the paper and a reimplementation: the population deviation is a guess, and so is that edges which were not drawn have no loss; the divergence from a reference topology (over edges, coefficient unknown) is left to the objective's kl",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, &group_with("0", "1e-6")],
    plan: |parameters| {
        let edge = Level::named("edge");
        let by_edge = || group().and(signal("edge_sources")).and(signal("edge_targets"));
        let (credit, advantage) = match parameters.text("unit")? {
            "edge" => {
                let scores = mean(signal("reward").spread(edge), by_edge());
                let relative =
                    among_units(parameters, signal("edge_scores"), by_edge(), group(), trainable())?;
                (Credit::new().define("edge_scores", scores), relative)
            }
            "graph" => (Credit::new(), group_advantage(parameters, signal("reward"))?.spread(edge)),
            _ => return Err(parameters.unknown("unit", &["edge", "graph"])),
        };
        Ok(credit
            .define("edge_advantages", advantage)
            .advantage(signal("edge_advantages").spread(TOKEN))
            .into())
    },
    ..ADVANTAGE
};
