//! MAPO: turns of dialogues credited with what they bring the user nearer to the goal.

use meed_operators::credit::{By, difference, group, return_to_go, signal};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::advantage_among;
use crate::parts::shaped::group_with;
use crate::parts::steps::judged;
use crate::parts::turns::same_turn;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    input(
        "turn_potentials",
        Of::Number,
        "distance of the user's state from the goal after the turn",
        "a judge that reads the dialogue up to the end of each turn",
    ),
    input(
        "initial_potential",
        Of::Number,
        "distance of the user's state from the goal before the first turn",
        "the same judge, on the prompt alone",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("gamma", "0.9", "discount per turn"),
    parameter("alpha", "0.5", "weight of the return, compared among equal turns"),
    parameter("beta", "0.5", "weight of the immediate progress, compared among all turns"),
];

/// MAPO: `r_t = phi_{t-1} - phi_t`, `A_t = alpha z(return_t, by(group, t)) + beta z(r_t, by(group))`.
///
/// "Batch" in the method's name means all turns of the prompt's dialogues. A turn that only one dialogue reaches
/// has no return to be compared with, and a null potential leaves its dialogue out.
pub const MAPO: Recipe = Recipe {
    name: "mapo",
    title: "progress of turns, compared at equal turns and among all turns of the group",
    citation: "Mixed Advantage Policy Optimization for Long-Horizon Multi-Turn Dialogue, arXiv 2603.06194",
    family: "turns",
    formula: "A_t = alpha z(G_t, by(group, t)) + beta z(r_t, by(group)), r_t = phi_{t-1} - phi_t",
    fidelity: Fidelity::Equations,
    deviations: "guessed: gamma and eps",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, &group_with("0", "1e-6")],
    plan: |parameters| {
        let z = |x: &str, by: By| advantage_among(parameters, signal(x), by);
        let potential = || signal("turn_potentials");
        let progress = -difference(potential(), Some(signal("initial_potential")));
        let credit = judged([potential()])
            .define("turn_progress", progress)
            .define("turn_returns", return_to_go(signal("turn_progress"), parameters.number("gamma")?))
            .define("turn_position_advantages", z("turn_returns", same_turn())?)
            .define("turn_batch_advantages", z("turn_progress", group())?);
        let mixed = parameters.number("alpha")? * signal("turn_position_advantages")
            + parameters.number("beta")? * signal("turn_batch_advantages");
        Ok(credit.advantage(mixed).into())
    },
    ..ADVANTAGE
};
