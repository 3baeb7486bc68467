//! TARL: turns scored by a judge, with the outcome added, compared at equal turns.

use meed_operators::credit::signal;

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::{GROUP, advantage_among};
use crate::parts::steps::judged;
use crate::parts::turns::same_turn;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "turn_scores",
    Of::Number,
    "the judge's score of each turn: -1, 0 or 1",
    "a judge that reads the whole rollout and scores its turns",
)];

const PARAMETERS: &[Parameter] =
    &[parameter("turn_weight", "1.0", "weight of the judge's scores beside the outcome")];

/// TARL: `x_t = score_t + R`, `A_t = (x_t - mean) / (std + eps)` over the group's rollouts at the same turn.
pub const TARL: Recipe = Recipe {
    name: "tarl",
    title: "judged turns with the outcome added, compared at equal turns",
    citation: "Turn-level Adjudicated Reinforcement Learning, arXiv 2509.14480",
    family: "turns",
    formula: "A_t = z(score_t + R, by(group, t))",
    fidelity: Fidelity::Reconstructed,
    deviations: "read from the abstract; guessed: the scale of scores, that the outcome is added to every turn, the sample deviation and eps; the mixed curriculum is not part of it",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let score = || signal("turn_scores");
        let shaped = parameters.number("turn_weight")? * score() + signal("reward");
        let credit = judged([score()]).define("turn_shaped_rewards", shaped);
        let compared = advantage_among(parameters, signal("turn_shaped_rewards"), same_turn())?;
        Ok(credit.advantage(compared).into())
    },
    ..ADVANTAGE
};
