//! AEM: advantages of turns, strengthened where the policy was sure and weakened where it was not.

use meed_operators::credit::{Reduction, TURN, group, mean, min_max, signal};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::{GROUP, group_advantage};
use crate::parts::steps::judged;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "token_entropies",
    Of::Number,
    "entropy of the policy at the token",
    "the sampler records entropies; import rollouts that carry them",
)];

const PARAMETERS: &[Parameter] = &[parameter("lambda", "1.0", "strength of the modulation; 0 is GRPO")];

/// AEM: with `h` the mean entropy of a turn's tokens, scaled to 0..1 over all turns of the group, `A' = A exp(-lambda
/// h) / mean(exp(-lambda h))`.
///
/// Where all turns of the group have the same entropy, nothing is modulated.
pub const AEM: Recipe = Recipe {
    name: "aem",
    title: "turn advantages scaled by the policy's certainty",
    citation: "Adaptive Entropy Modulation for Multi-Turn Agentic Reinforcement Learning, arXiv 2605.00425",
    family: "turns",
    formula: "A_i' = A exp(-lambda h_i) / mean_group exp(-lambda h), h = min_max(mean entropy of the turn)",
    fidelity: Fidelity::Equations,
    deviations: "the estimator that is modulated is GRPO; guessed: lambda, and that equal entropies modulate nothing",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let lambda = parameters.number("lambda")?;
        let weight = || ((-lambda) * min_max(signal("turn_entropies"), group())).exp();
        let credit = judged([signal("token_entropies")])
            .define("turn_entropies", signal("token_entropies").reduce(TURN, Reduction::Mean))
            .define("turn_modulation", weight() / mean(weight(), group()))
            .define("group_advantage", group_advantage(parameters, signal("reward"))?);
        Ok(credit.advantage(signal("turn_modulation") * signal("group_advantage")).into())
    },
    ..ADVANTAGE
};
