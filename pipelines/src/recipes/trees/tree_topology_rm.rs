//! Preferences over the leaves of a tree, drawn alike from every depth at which two leaves part.

use std::sync::Arc;

use meed_operators::credit::{Credit, Level, group, members, random, rank, signal, value, when};
use meed_operators::signals::LeafPairs;

use crate::parameters::{Parameter, parameter};
use crate::parts::steps::{indicator, truth};
use crate::recipe::{Fidelity, Plan, Recipe, SELECTION};
use crate::recipes::process::inputs::STEP_NODES;

const PARAMETERS: &[Parameter] = &[
    parameter("per_depth", "null", "pairs that are drawn of each depth in a group; null: all"),
    parameter("seed", "0", "seed of the draws"),
];

/// Pairs of the responses of a tree, in strata by the depth of their lowest common ancestor: of each depth as many are
/// drawn, and where fewer exist those that are drawn weigh so much that every depth has the same weight.
///
/// A pair is at the first of its two rollouts, at the level `rival`: `rival_rollouts` names the other, `rival_gaps` is
/// the own reward less the other's, positive where the own is preferred, and `rival_weights` is the weight in the
/// pairwise loss. A pair of equal rewards has weight 0. Depth 0, where only the prompt is shared, has the pairs of
/// independent responses.
pub const TREE_TOPOLOGY_RM: Recipe = Recipe {
    name: "tree_topology_rm",
    title: "preference pairs of leaves, stratified by the depth at which they part",
    citation: "Qiu et al. 2024, Reward Generalization in RLHF: A Topological Perspective, arXiv 2402.10184",
    family: "trees",
    objective: ("bradley_terry", &[]),
    formula: "pairs (w, l) with weight 1 / count(pairs of the same depth of the lowest common ancestor)",
    fidelity: Fidelity::Reconstructed,
    deviations: "from the abstract; guessed: the distribution over depths, which is even; how the tree is sampled is the sampler's",
    inputs: &[&[STEP_NODES]],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let seed = parameters.get("seed").as_u64();
        let seed = seed.ok_or_else(|| parameters.unknown("seed", &["a whole number"]))?;
        let stratum = || group().and(signal("rival_depths"));
        let draw = random(Level::from("rival"), seed).null_if(signal("rival_gaps").equals(0.0));
        let place = rank(draw, stratum(), true);
        let drawn = match parameters.optional_number("per_depth")? {
            None => place.at_least(0.0),
            Some(count) => place.less(count),
        };
        let taken = || signal("rival_taken");
        let of_depth = members(value(1.0).spread(Level::from("rival")).null_if(taken().negated()), stratum());
        let credit = Credit::new()
            .define("rival_gaps", signal("reward") - signal("rival_values"))
            .define("rival_taken", drawn.or_else(truth().negated()))
            .define("rival_weights", when(taken(), indicator(taken()) / of_depth.max(1.0), 0.0));
        let pairs = LeafPairs { nodes: "step_nodes".into(), value: "reward".into() };
        Ok(Plan { operators: vec![Arc::new(pairs)], ..credit.into() })
    },
    ..SELECTION
};
