//! The study of step reward models: preferences between sibling steps, and greedy choice by score.

use meed_operators::credit::{Credit, rank, signal, trainable};
use meed_operators::tree::Backup;

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::siblings::sibling_pairs;
use crate::parts::steps::truth;
use crate::parts::tree::Tree;
use crate::recipe::{Fidelity, Recipe, SELECTION};
use crate::recipes::process::inputs::STEP_NODES;

const INPUTS: &[Input] = &[
    STEP_NODES,
    input(
        "step_scores",
        Of::Number,
        "score of each step by the step reward model (select=greedy)",
        "a reward model that is trained with the objective `bradley_terry` on the pairs",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "select",
        "pairs",
        "pairs: to train the model on; greedy: of each node's children the one with the highest step_scores",
    ),
    parameter("gap", "0.1", "of pairs: siblings must be further apart"),
];

/// Sibling steps of a search tree: the child with the highest value, the mean reward of the rollouts below it, is
/// preferred to the one with the lowest where the gap is clear; `-log sigmoid(s_w - s_l)` trains a step reward model.
///
/// With `select=greedy` `step_chosen` is the child that a search of width 1 goes on with.
pub const SRM_STUDY: Recipe = Recipe {
    name: "srm_study",
    title: "step pairs with a clear value gap, and greedy choice by step score",
    citation: "Ma et al. 2024, What Are Step-Level Reward Models Rewarding?, arXiv 2412.15904",
    family: "trees",
    objective: ("bradley_terry", &[]),
    formula: "chosen = argmax_sibling V, rejected = argmin_sibling V where V_w - V_l > gap; greedy: argmax score",
    fidelity: Fidelity::Reconstructed,
    deviations: "from the abstract and summaries; guessed: that the best is paired with the worst, and the gap; which part of the context the model sees is its input's business",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let tree = Tree::of_steps("reward", Backup::Leaves, None);
        let credit = match parameters.text("select")? {
            "pairs" => sibling_pairs(&tree, Credit::new(), tree.value(), parameters.number("gap")?),
            "greedy" => {
                let first = trainable().only(signal("step_first"));
                let best = rank(signal("step_scores"), tree.by_parent(), false).over(first).equals(0.0);
                Credit::new()
                    .define("step_first", tree.first())
                    .define("step_chosen", best.or_else(truth().negated()))
            }
            _ => return Err(parameters.unknown("select", &["pairs", "greedy"])),
        };
        Ok(tree.plan(credit))
    },
    ..SELECTION
};
