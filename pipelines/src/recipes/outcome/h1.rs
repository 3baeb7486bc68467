//! h1: outcome rewards on chains of problems that get longer in stages.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Norm, ROLLOUT, Scale, group, maximum, normalize, progress, signal, value,
};

use crate::parameters::{Parameter, Parameters, parameter};
use crate::recipe::{Fidelity, Plan, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("iterations_per_horizon", "200", "iterations before chains get one problem longer"),
    parameter("longest_horizon", "5", "most problems in a chain"),
];

/// h1: `A = r - mean(r)` in the group (Dr. GRPO), where `r` is 1 if the last answer of the chain is right.
///
/// The sampler reads `horizon`, how many problems the chains of the iteration have: 1, and one more after
/// every stage. `has_signal` is false in groups in which no chain is solved: a stage of those teaches
/// nothing.
pub const H1: Recipe = Recipe {
    name: "h1",
    title: "reward minus the group's mean, on chains whose length follows a curriculum",
    citation: "h1: Bootstrapping LLMs to Reason over Longer Horizons via RL",
    family: "outcome",
    objective: ("dr_grpo", &[]),
    formula: "A = r - mean(r), horizon = 1 + min(floor(iteration / 200), 4)",
    fidelity: Fidelity::Equations,
    deviations: "no code was read; a singleton gets 0",
    parameters: &[PARAMETERS],
    plan,
    ..crate::recipe::ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let stage = parameters.number("iterations_per_horizon")?;
    let mut horizon = value(1.0).spread(ROLLOUT);
    for longer in 1..parameters.small("longest_horizon")? {
        horizon = horizon + progress(f64::from(longer) * stage, f64::from(longer) * stage);
    }
    let centred = Norm { scale: Scale::None, ..Norm::group_std(0.0) };
    Ok(Credit::new()
        .define("horizon", horizon)
        .define("has_signal", maximum(signal("reward"), group()).greater(0.0))
        .advantage(normalize(signal("reward"), &centred))
        .into())
}
