//! MAPPA: a coach's score of every action, normalised over the whole batch.

use meed_operators::credit::{Credit, Norm, TOKEN, normalize, return_to_go, signal};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "step_scores",
    Of::Number,
    "score of each action, 0 to 10, by a coach that sees the outputs of tools",
    "a judge of actions, such as a language model as coach",
)];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "gamma",
        "0.0",
        "share of the next action's return in an action's; 0: every action is a row of its own",
    ),
    parameter("variance_floor", "1e-8", "lower bound of the variance"),
];

/// MAPPA: `A = (s - mean(s)) / std(s)` over the trainable tokens of the batch, without groups of a prompt.
pub const MAPPA: Recipe = Recipe {
    name: "mappa",
    title: "a coach's scores of actions, normalised over the batch",
    citation: "MAPPA, arXiv 2601.23228; ltjed/multiagent-coaching",
    family: "agents",
    formula: "A = (s - mean(s, by(batch))) / sqrt(max(var(s, by(batch)), 1e-8))",
    fidelity: Fidelity::Equations,
    deviations: "that later actions' scores do not count in an action's return (gamma 0) is a guess: there each action is a row",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let norm = Norm {
            ddof: 0,
            variance_floor: parameters.number("variance_floor")?,
            counted_at: Some(TOKEN),
            ..Norm::whitening(0.0)
        };
        let returns = return_to_go(signal("step_scores"), parameters.number("gamma")?);
        let credit = Credit::new().define("step_returns", returns);
        Ok(credit.advantage(normalize(signal("step_returns"), &norm)).into())
    },
    ..ADVANTAGE
};
