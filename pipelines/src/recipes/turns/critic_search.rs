//! CriticSearch: turns that a critic with the gold answer calls good or bad, mixed with the outcome.

use meed_operators::credit::signal;

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::{GROUP, group_advantage};
use crate::parts::steps::{indicator, judged};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "turn_good",
    Of::Flag,
    "whether the turn is good in hindsight",
    "a frozen critic that reads the whole rollout with the gold answer and labels its turns",
)];

const PARAMETERS: &[Parameter] =
    &[parameter("alpha", "0.5", "weight of the outcome; the turns have the rest")];

/// CriticSearch: `A_t = alpha z(R) + (1 - alpha) z(good_t)`, the outcome compared in the group and the labels among
/// all turns of the group.
///
/// With alpha 1 it is GRPO.
pub const CRITIC_SEARCH: Recipe = Recipe {
    name: "critic_search",
    title: "hindsight labels of turns mixed with the outcome",
    citation: "CriticSearch, arXiv 2511.12159",
    family: "turns",
    formula: "A_t = alpha z(R, by(group)) + (1 - alpha) z(good_t, by(group))",
    fidelity: Fidelity::Reconstructed,
    deviations: "read from the abstract; guessed: the mixture, its weight, labels of 1 and 0 that are normalised over the turns of the group",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let alpha = parameters.number("alpha")?;
        let labels = indicator(signal("turn_good"));
        let credit = judged([signal("turn_good")])
            .define("outcome_advantage", group_advantage(parameters, signal("reward"))?)
            .define("turn_advantages", group_advantage(parameters, labels)?);
        let mixed = alpha * signal("outcome_advantage") + (1.0 - alpha) * signal("turn_advantages");
        Ok(credit.advantage(mixed).into())
    },
    ..ADVANTAGE
};
