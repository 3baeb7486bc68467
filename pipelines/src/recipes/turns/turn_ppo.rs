//! Turn-PPO: a turn is one action, estimated and clipped as a whole.

use meed_operators::credit::signal;

use crate::parts::turn_values::{DISCOUNTS, STEP_REWARDS, STEP_VALUES, estimates};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

/// Turn-PPO: `A_k = delta_k + gamma lambda A_{k+1}`, `delta_k = r_k + gamma V_{k+1} - V_k`, over turns; every
/// token of a turn has its advantage, and its ratio, the geometric mean of those of its tokens.
pub const TURN_PPO: Recipe = Recipe {
    name: "turn_ppo",
    title: "advantages of turns from values of turns",
    citation: "Turn-PPO, arXiv 2512.17008",
    family: "turns",
    objective: (
        "gspo",
        &[("ratio", "segment"), ("clip_low", "0.2"), ("clip_high", "0.2"), ("gradient", "through")],
    ),
    formula: "A_k = delta_k + gamma lam A_{k+1}, delta_k = r_k + gamma V_{k+1} - V_k, k over turns",
    fidelity: Fidelity::Reconstructed,
    deviations: "read from the abstract and a summary. Guessed: gamma, lambda, the clip range, and that the ratio of a turn is a geometric mean; its critic is not trained by the objective",
    inputs: &[&[STEP_REWARDS, STEP_VALUES]],
    parameters: &[DISCOUNTS],
    plan: |parameters| {
        let credit = estimates(parameters)?.returns(signal("turn_estimates") + signal("turn_values"));
        Ok(credit.advantage(signal("turn_estimates")).into())
    },
    ..ADVANTAGE
};
