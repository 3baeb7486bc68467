//! Robo-Dopamine: potential differences of steps, from comparisons of frames.

use meed_operators::credit::{Credit, Expr, signal, value};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::steps::{indicator, unknown_by};
use crate::recipe::{Fidelity, REWARD, Recipe};

const INPUTS: &[Input] = &[
    input(
        "step_hops",
        Of::Number,
        "relative progress from the frame before the step to that after it, from -1 to 1",
        "a general process reward model that compares two frames",
    ),
    input(
        "step_initial_hops",
        Of::Number,
        "relative progress from the first frame of the rollout to that after the step",
        "the same model",
    ),
    input(
        "step_goal_hops",
        Of::Number,
        "relative progress from the goal to the frame after the step: 0 at the goal, below 0 before it",
        "the same model",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "potential",
        "fused",
        "fused: mean of the incremental, forward and backward potentials; consistent: filtered by how far the last two agree; incremental: from hops alone",
    ),
    parameter("gamma", "0.99", "discount of the potential; a guess"),
    parameter("alpha", "1.0", "how fast disagreement takes weight away under consistent; a guess"),
    parameter("eps", "1e-6", "added to the mean potential that the disagreement is relative to"),
    parameter("delta", "0.05", "the goal counts as reached at a potential of 1 - delta"),
];

/// Robo-Dopamine: `r_t = [Phi(s_(t+1)) >= 1 - delta] + gamma Phi(s_(t+1)) - Phi(s_t)`.
///
/// A hop `H` from a state of potential `Phi` is `(1 - Phi) H` up, or `Phi H` down. The incremental potential adds
/// it to that of the state before, the forward one is the hop from the first frame, the backward one 1 plus that
/// from the goal. `fused` is their mean; `consistent` moves half of `w = exp(-alpha D^2)` of the way to the mean of
/// the last two and the hop, with `D` their difference over that mean. The first state has potential 0. All are
/// linear in the potential before, and so recurrences: from a step without a comparison on, none is known.
pub const ROBO_DOPAMINE: Recipe = Recipe {
    name: "robo_dopamine",
    title: "step rewards as differences of a potential from comparisons of frames",
    citation: "Robo-Dopamine: General Process Reward Modeling for High-Precision Robotic Manipulation; FlagOpen/Robo-Dopamine",
    family: "redistribution",
    formula: "r_t = [Phi' >= 1 - delta] + gamma Phi' - Phi",
    fidelity: Fidelity::Equations,
    deviations: "the code of the reward is not released; guessed: gamma, alpha, and that the incremental potential starts from the fused (or filtered) one of the state before",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let hop = || signal("step_hops");
        // Phi + dPhi = up + kept Phi.
        let (up, kept) = (hop().max(0.0), 1.0 - hop().abs());
        let (forward, backward) = (|| signal("step_initial_hops"), || 1.0 + signal("step_goal_hops"));
        let gamma = parameters.number("gamma")?;
        let (gain, factor) = match parameters.text("potential")? {
            "incremental" => (up, kept),
            "fused" => ((up + forward() + backward()) / 3.0, kept / 3.0),
            "consistent" => {
                let mean = || (forward() + backward()) / 2.0;
                let apart = (backward() - forward()).abs() / (mean() + parameters.number("eps")?);
                let weight = (-parameters.number("alpha")? * apart.square()).exp() / 2.0;
                // Phi + w (mean - Phi + dPhi), with dPhi = up - |H| Phi.
                (weight.clone() * (mean() + up), 1.0 - weight * (1.0 + hop().abs()))
            }
            _ => return Err(parameters.unknown("potential", &["fused", "consistent", "incremental"])),
        };
        let after: fn() -> Expr = || signal("step_potentials");
        let reached = after().at_least(1.0 - parameters.number("delta")?);
        let before = after().shift(1, Some(value(0.0)));
        Ok(Credit::new()
            .define("step_potentials", gain.clone().recur(factor).forward().null_if(unknown_by(gain)))
            .define("step_shaped_rewards", indicator(reached) + gamma * after() - before)
            .into())
    },
    ..REWARD
};
