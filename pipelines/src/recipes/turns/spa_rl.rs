//! SPA-RL: the outcome spread over turns as each one's progress, beside whether its action took effect.

use meed_operators::Result;
use meed_operators::credit::{Credit, STEP, TOKEN, group, leave_one_out, signal, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::dense::{ESTIMATE, estimated};
use crate::parts::turns::{by_turn, is_last_turn, policy_turns, turns_before};
use crate::parts::whitening::{WHITEN_OFF, WHITENING};
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};
use crate::recipes::process::TOKEN_VALUES;

const INPUTS: &[Input] = &[
    input(
        "step_contributions",
        Of::Number,
        "progress that the turn which ends with the step contributes to the outcome; those of a rollout add up to it",
        "a progress estimator: a value head trained with the objective `spa_rl`, or an import",
    ),
    input(
        "step_grounded",
        Of::Flag,
        "true where the environment accepted the action of the turn that ends with the step",
        "an environment, on import",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "variant",
        "paper",
        "paper: alpha c + beta g at the end of the turn; contributions_through_release_placement: the same times the number of later turns; release: the outcome less the mean of the group's others, plus grounding_weight g, also times the number of later turns",
    ),
    parameter("alpha", "1.0", "weight of the contribution"),
    parameter("beta", "0.5", "weight of a grounded action"),
    parameter("grounding_weight", "0.5", "the same in the release, where the last turn always has it"),
];

/// SPA-RL: `r_k = alpha c_k + beta g_k` at the last token of turn `k`, less a divergence penalty per token;
/// the advantages are generalised advantage estimates.
///
/// The release multiplies what turn `k` of `K` earns by `K - k - 1`, so that the last turn earns nothing; its
/// WebShop data has the leave-one-out outcome in the place of contributions, the outcome itself for a lone
/// rollout. Both are variants. Its penalty falls on environment tokens too, which are no steps of the
/// estimate here.
pub const SPA_RL: Recipe = Recipe {
    name: "spa_rl",
    title: "progress of turns, which adds up to the outcome, as their rewards",
    citation: "Wang et al. 2025, SPA-RL, arXiv 2505.20732; WangHanLinHenry/SPA-RL-Agent",
    family: "turns",
    objective: ("ppo_clip", &[("value_coef", "0.1")]),
    formula: "r_k = alpha c_k + beta g_k - kl; A = GAE(r)",
    fidelity: Fidelity::Reference,
    deviations: "the rewards are the paper's; the release's, whose last turn earns nothing, are variants. Guessed: the coefficient of the value loss, for its configuration is not published",
    inputs: &[INPUTS, &[TOKEN_VALUES]],
    parameters: &[PARAMETERS, ESTIMATE, &[WHITEN_OFF], WHITENING],
    plan,
    ..ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let grounded = || by_turn(when(signal("step_grounded").equals(1.0), 1.0, 0.0));
    let progress = || -> Result<_> {
        let contribution = parameters.number("alpha")? * by_turn(signal("step_contributions"));
        Ok(contribution + parameters.number("beta")? * grounded())
    };
    let later_turns = policy_turns() - turns_before() - 1.0;
    let (earned, times) = match parameters.text("variant")? {
        "paper" => (progress()?, None),
        "contributions_through_release_placement" => (progress()?, Some(later_turns)),
        "release" => {
            let others = leave_one_out(signal("reward"), group()).or_else(0.0);
            let bonus = parameters.number("grounding_weight")? * when(is_last_turn(), 1.0, grounded());
            (signal("reward") - others + bonus, Some(later_turns))
        }
        _ => {
            let known = ["paper", "contributions_through_release_placement", "release"];
            return Err(parameters.unknown("variant", &known));
        }
    };
    let credit = Credit::new().define("turn_rewards", earned);
    let credit = credit.define("step_values", signal("turn_rewards").at_last(STEP));
    let placed = match times {
        Some(times) => signal("turn_rewards") * times,
        None => signal("turn_rewards"),
    };
    Ok(estimated(parameters, credit, placed.at_last(TOKEN))?.into())
}
