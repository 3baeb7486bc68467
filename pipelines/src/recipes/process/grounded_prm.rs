//! GroundedPRM: tool verdicts along a simulation, backed up to the nodes that it went out from.

use meed_operators::credit::{
    Credit, Expr, ROLLOUT, Reduction, group, mean, members, signal, sum, value, when,
};

use super::inputs::STEP_NODES;
use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::steps::{is_correct, policy_steps, steps_before};
use crate::recipe::{Fidelity, REWARD, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("decay", "0.9", "factor of the backup per step of distance from where the simulation began"),
    parameter(
        "initial",
        "verdict",
        "value of a node before any simulation went out below it: verdict (of the tool on its step), zero",
    ),
];

const INPUTS: &[Input] = &[
    input(
        "step_verdicts",
        Of::Number,
        "verdict of an external tool on each step: 1 right, -1 wrong, 0 or null where the tool failed",
        "a judge that checks steps with a solver, or an import",
    ),
    input(
        "simulated_from",
        Of::Count,
        "number of steps before the simulation: the one before it is the node from which the tree grew",
        "a tree search, which knows where each path branched off, or an import",
    ),
    STEP_NODES,
];

/// GroundedPRM: a simulation of `m` steps with verdicts `v` and final check `F` (1 or -1) is worth
/// `V = sum_{i < N} v_i (N - i) / N^2 + F / N` with `N = m - 1`, and `F` where `N` is not positive; its node gets
/// `V` and the ancestor at distance `d` gets `decay^d V`. Values of a node add up over the simulations below.
///
/// A rollout is a path from the root to an answer, the part from `simulated_from` on its simulation. The
/// verdict of the last step is not read: the final check stands in its place. `rewards` is the value of each
/// step's node in its group's tree, `step_visits` the number of simulations behind it.
pub const GROUNDED_PRM: Recipe = Recipe {
    name: "grounded_prm",
    title: "values of tree nodes from tool verdicts of the simulations below them",
    citation: "Zhang et al. 2025, GroundedPRM, arXiv 2510.14942; pipeline/MCTS/mcts.py of a fork",
    family: "process",
    formula: "V = sum_i v_i * (N - i) / N^2 + F / N; node += decay^d * V",
    fidelity: Fidelity::Equations,
    deviations: "follows a fork of the released code, which was read and not run: that a node begins with its verdict is a reading of it; the bound that makes a value a label is left to the reader",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let decay = parameters.number("decay")?;
        let start = || signal("simulated_from");
        let verdict = || signal("step_verdicts").or_else(0.0);
        let check = || when(is_correct(), 1.0, -1.0);
        let checked = || signal("checked_steps");
        let at: Expr = steps_before() - start();
        let inside = at.clone().at_least(0.0).and(at.clone().less(checked()));
        let share = (checked() - at) / checked().square();
        let along = when(inside, verdict() * share, 0.0).reduce(ROLLOUT, Reduction::Sum).empty(0.0);
        let worth = when(checked().at_most(0.0), check(), along + check() / checked());

        let distance = start() - 1.0 - steps_before();
        let backed_up = when(
            distance.clone().at_least(0.0),
            signal("simulation_value") * value(decay).power(distance.clone()),
            0.0,
        );
        let node = || group().and(signal("step_nodes"));
        let before = match parameters.text("initial")? {
            "verdict" => mean(verdict(), node()),
            "zero" => value(0.0),
            _ => return Err(parameters.unknown("initial", &["verdict", "zero"])),
        };
        let visits = members(distance.clone().null_if(distance.less(0.0)), node());
        Ok(Credit::new()
            .define("checked_steps", policy_steps() - start() - 1.0)
            .define("simulation_value", worth)
            .define("step_backup", backed_up)
            .define("step_visits", visits)
            .define("rewards", before + sum(signal("step_backup"), node()))
            .into())
    },
    ..REWARD
};
