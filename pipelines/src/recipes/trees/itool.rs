//! iTool: the best against the worst of the steps that a search tried in one state.

use meed_operators::credit::{Credit, signal};
use meed_operators::tree::Backup;

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::siblings::sibling_pairs;
use crate::parts::tree::Tree;
use crate::recipe::{Fidelity, Recipe, SELECTION};
use crate::recipes::process::inputs::STEP_NODES;

const INPUTS: &[Input] = &[
    STEP_NODES,
    input(
        "step_search_values",
        Of::Number,
        "value that the search gave each step (values=search)",
        "a tree search that backs rewards up, or an import",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "values",
        "rollouts",
        "value of a step: rollouts (mean reward of those that pass it), search (step_search_values)",
    ),
    parameter("gap", "0", "siblings must be further apart"),
];

/// iTool: among the children of each node the step with the highest value is chosen and the one with the lowest
/// rejected, for DPO or SimPO on steps; siblings of equal value give no pair.
///
/// The value is the mean over the simulations below, `Q <- (Q n + r) / (n + 1)`. The search itself goes by
/// `meed_operators::tree::puct`.
pub const ITOOL: Recipe = Recipe {
    name: "itool",
    title: "step pairs of the highest against the lowest value among siblings",
    citation: "Zeng et al. 2025, Boosting Tool Use via Iterative Reinforced Fine-Tuning, arXiv 2501.09766",
    family: "trees",
    objective: ("dpo", &[]),
    formula: "chosen = argmax_sibling Q, rejected = argmin_sibling Q, Q = mean reward below",
    fidelity: Fidelity::Reconstructed,
    deviations: "from the abstract; the reward is given: how tool calls are matched and graded is not published, nor are the constant of PUCT and the number of simulations; choosing deficient samples and the warm-up are the user's",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let tree = Tree::of_steps("reward", Backup::Leaves, None);
        let value = match parameters.text("values")? {
            "rollouts" => tree.value(),
            "search" => signal("step_search_values"),
            _ => return Err(parameters.unknown("values", &["rollouts", "search"])),
        };
        let credit = sibling_pairs(&tree, Credit::new(), value, parameters.number("gap")?);
        Ok(tree.plan(credit))
    },
    ..SELECTION
};
