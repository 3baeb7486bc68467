//! CAPO: tokens of steps that a judge calls wrong lose reward, in units of the whole group's tokens.

use meed_operators::credit::signal;

use super::inputs::{STEP_CORRECT, STEP_CRITIQUE_CORRECT};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::{GROUP, group_advantage};
use crate::parts::steps::{indicator, judged, on_tokens};
use crate::parts::votes::share_calling_wrong;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("outcome_weight", "2", "weight of the outcome, which is 1 or 0"),
    parameter("process_weight", "1", "what a token of a wrong step loses"),
    parameter(
        "vote",
        "intersection",
        "which steps are wrong: intersection (by every critique), majority (by at least half), union (by any), average (the loss times the share of critiques), greedy (the single verdict in step_correct)",
    ),
];

/// CAPO: `R_t = w_o * r - w_p * [t in a wrong step]`, normalised over all trainable tokens of the group. A
/// token carries its own reward only: there are no returns.
///
/// A token is a member of the statistics: long rollouts weigh more, and the only rollout of a group is
/// compared with itself, step by step. A rollout without steps has no wrong token.
pub const CAPO: Recipe = Recipe {
    name: "capo",
    title: "outcome less a penalty on wrong steps, normalised over the tokens of the group",
    citation: "Xie et al. 2025, CAPO, arXiv 2508.02298",
    family: "process",
    formula: "A_t = normalize(w_o * r - w_p * wrong(step of t)) over the tokens of the group",
    fidelity: Fidelity::Reconstructed,
    deviations: "read second-hand: the sample deviation with 1e-6 added, a critique that cannot be parsed as one without wrong steps, and `average` as the share of critiques are guesses",
    inputs: &[&[STEP_CRITIQUE_CORRECT, STEP_CORRECT]],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let share = share_calling_wrong();
        let wrong = match parameters.text("vote")? {
            "intersection" => indicator(share.equals(1.0)),
            "majority" => indicator(share.at_least(0.5)),
            "union" => indicator(share.greater(0.0)),
            "average" => share,
            "greedy" => 1.0 - signal("step_correct"),
            _ => {
                return Err(
                    parameters.unknown("vote", &["intersection", "majority", "union", "average", "greedy"])
                );
            }
        };
        let penalty = parameters.number("process_weight")? * on_tokens(signal("step_wrong"), 0.0);
        let rewards = parameters.number("outcome_weight")? * signal("reward") - penalty;
        let credit = judged([wrong.clone()]).define("step_wrong", wrong).define("token_rewards", rewards);
        Ok(credit.advantage(group_advantage(parameters, signal("token_rewards"))?).into())
    },
    ..ADVANTAGE
};
