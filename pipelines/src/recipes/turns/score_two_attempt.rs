//! SCoRe: second attempts credited with what they make better, so that corrections are learnt.

use meed_operators::credit::{difference, mean, signal, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::steps::judged;
use crate::parts::turns::{same_turn, turns_before};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "turn_rewards",
    Of::Number,
    "reward of each attempt; an attempt is a turn, and the request to correct it lies between",
    "a verifier that reads the answer of every attempt",
)];

const PARAMETERS: &[Parameter] = &[
    parameter("stage", "2", "1: the second attempt alone is rewarded; 2: both, the second with its progress"),
    parameter("alpha", "10", "weight of the progress"),
    parameter("baseline", "none", "none; group: the mean of the same attempt over the group is subtracted"),
];

/// SCoRe: in stage 1 the first attempt has advantage 0 and the second `r_2`; in stage 2 the first has `r_1` and the
/// second `r_2 + alpha (r_2 - r_1)`.
///
/// The objective has a `stage` of its own, which says what is tied to the reference policy.
/// With alpha 0, stage 2 is plain reinforcement of both attempts. A rollout of one attempt has no progress; a
/// further attempt is compared with the one before it.
pub const SCORE_TWO_ATTEMPT: Recipe = Recipe {
    name: "score_two_attempt",
    title: "second attempts rewarded for their progress over the first",
    citation: "Kumar et al. 2024, Training Language Models to Self-Correct via Reinforcement Learning, arXiv 2409.12917",
    family: "turns",
    objective: ("score_two_attempt", &[]),
    formula: "A_1 = r_1, A_2 = r_2 + alpha (r_2 - r_1); stage 1: A_1 = 0, A_2 = r_2",
    fidelity: Fidelity::Equations,
    deviations: "a rollout without a second attempt has no shaping, where the paper always has two",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let reward = || signal("turn_rewards");
        let shaped = match parameters.small("stage")? {
            1 => when(turns_before().equals(0.0), 0.0, reward()),
            2 => reward() + parameters.number("alpha")? * difference(reward(), Some(reward())),
            _ => return Err(parameters.unknown("stage", &["1", "2"])),
        };
        let credit = judged([reward()]).define("turn_shaped_rewards", shaped);
        let shaped = || signal("turn_shaped_rewards");
        Ok(match parameters.text("baseline")? {
            "none" => credit.advantage(shaped()),
            "group" => credit.advantage(shaped() - mean(shaped(), same_turn())),
            _ => return Err(parameters.unknown("baseline", &["none", "group"])),
        }
        .into())
    },
    ..ADVANTAGE
};
