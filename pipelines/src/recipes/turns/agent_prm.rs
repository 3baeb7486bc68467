//! AgentPRM: the promise and the progress of each step of an agent.

use meed_operators::credit::{STEP, signal};

use crate::parts::turn_values::{DISCOUNTS, STEP_REWARDS, STEP_VALUES, estimates};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

/// AgentPRM: the promise of a turn is its value `Q_k`, its progress the estimate `delta_k + gamma lambda
/// (progress of k + 1)`, `delta_k = r_k + gamma Q_{k+1} - Q_k`, which is the advantage.
///
/// `returns`, progress plus promise, is what the value model is trained towards: with `lam=0` that is the
/// target of temporal differences, `r_k + gamma Q_{k+1}`.
pub const AGENT_PRM: Recipe = Recipe {
    name: "agent_prm",
    title: "promise and progress of steps by temporal differences",
    citation: "AgentPRM, arXiv 2511.08325",
    family: "turns",
    objective: ("ppo_clip", &[("value_coef", "0.5")]),
    formula: "promise_k = Q_k, progress_k = delta_k + gamma lam progress_{k+1}, delta_k = r_k + gamma Q_{k+1} - Q_k",
    fidelity: Fidelity::Reconstructed,
    deviations: "read from a summary. Guessed: that progress is the advantage of the policy, and the coefficient of the value loss",
    inputs: &[&[STEP_REWARDS, STEP_VALUES]],
    parameters: &[DISCOUNTS],
    plan: |parameters| {
        let credit = estimates(parameters)?
            .define("step_promise", signal("turn_values").at_last(STEP))
            .define("step_progress", signal("turn_estimates").at_last(STEP))
            .returns(signal("turn_estimates") + signal("turn_values"));
        Ok(credit.advantage(signal("turn_estimates")).into())
    },
    ..ADVANTAGE
};
