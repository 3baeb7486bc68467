//! Returns of turns against the group's mean return from the same turn on, ended rollouts included.

use meed_operators::credit::{Credit, ROLLOUT, Reduction, group, members, return_to_go, signal, sum, value};

use crate::parameters::{Parameter, parameter};
use crate::parts::steps::steps_before;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[parameter("gamma", "1.0", "discount per policy step")];

/// `A_t = G_t - sum_i G_{i,t} / n`: the baseline of a position is the mean over all `n` rollouts of the group,
/// where one that has ended before it has a return of 0.
///
/// The mean over the rollouts that took the turn would hide what taking another turn is worth: with one reward
/// of 1 per turn nobody would be credited for the second. `sum_of_turn_advantages` is the advantage of the first
/// turn, which is that of the episode.
pub const TURN_BASELINE: Recipe = Recipe {
    name: "turn_baseline",
    title: "returns of turns less the mean over the whole group, where ended rollouts count 0",
    citation: "verl issue 7244, on per-turn baselines that see only the rollouts which took the turn",
    family: "turns",
    formula: "A_t = G_t - sum(G_t, by(group, t)) / rollouts",
    fidelity: Fidelity::Reference,
    deviations: "the golden numbers follow the closed form of the thread, which no released program has",
    inputs: &[],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let returns = return_to_go(signal("step_rewards"), parameters.number("gamma")?);
        let rollouts = members(value(1.0).spread(ROLLOUT), group());
        let baseline = sum(signal("step_returns"), group().and(steps_before())) / rollouts;
        let credit = Credit::new()
            .define("step_returns", returns)
            .define("step_relative_returns", signal("step_returns") - baseline)
            .define(
                "sum_of_turn_advantages",
                signal("step_relative_returns").reduce(ROLLOUT, Reduction::First),
            );
        Ok(credit.advantage(signal("step_relative_returns")).into())
    },
    ..ADVANTAGE
};
