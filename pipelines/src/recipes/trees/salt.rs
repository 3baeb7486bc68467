//! SALT: steps that several rollouts take share their credit.

use std::sync::Arc;

use meed_operators::credit::{Credit, Norm, STEP, group, leave_one_out, mean, normalize, signal};
use meed_operators::signals::TrajectoryGraph;

use crate::parameters::{Parameter, parameter};
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter(
        "estimator",
        "grpo",
        "advantage of a rollout: grpo (normalised in the group), rloo (less the mean of the others)",
    ),
    parameter(
        "history",
        "null",
        "earlier states and actions that equal states must share; null: all of them, so that only common beginnings merge",
    ),
    parameter("eps", "1e-6", "added to the deviation of grpo"),
];

/// SALT: `A_step = mean of a over the rollouts that take the step`, with `a` the advantage of a rollout in its
/// group. A step is an edge of the group's trajectory graph: a state with what came before, an action, and the next
/// state. A step that one rollout takes alone keeps the rollout's advantage; one that crosses an edge twice counts
/// twice.
pub const SALT: Recipe = Recipe {
    name: "salt",
    title: "average the advantages of rollouts on the steps that they share",
    citation: "SALT: Step-level Advantage Assignment for Long-horizon Agents via Trajectory Graph, arXiv 2510.20022",
    family: "trees",
    formula: "A(e) = mean(normalize(R, by(group)), by(group, edge))",
    fidelity: Fidelity::Reconstructed,
    deviations: "guessed: how much history equal states share (all), that equal steps lead to the same next state too, the mean as what merges, that a rollout counts as often as it takes a step, and that nothing is normalised again",
    inputs: &[],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let reward = || signal("reward");
        let advantage = match parameters.text("estimator")? {
            "grpo" => normalize(reward(), &Norm::group_std(parameters.number("eps")?)),
            "rloo" => reward() - leave_one_out(reward(), group()).or_else(reward()),
            _ => return Err(parameters.unknown("estimator", &["grpo", "rloo"])),
        };
        let history = match parameters.is_null("history") {
            true => None,
            false => Some(usize::from(parameters.small("history")?)),
        };
        let edge = group().and(signal("step_edges"));
        let credit = Credit::new()
            .define("rollout_advantage", advantage)
            .advantage(mean(signal("rollout_advantage").spread(STEP), edge));
        let graph = TrajectoryGraph { history, value: "reward".into() };
        Ok(Plan { operators: vec![Arc::new(graph)], ..credit.into() })
    },
    ..ADVANTAGE
};
