//! RAGEN: an estimate over turns, passed on inside each turn by an estimate over tokens.

use meed_operators::credit::{
    Expr, Reduction, TOKEN, TURN, batch, gae, group, maximum, members, rank, signal, std, trainable, value,
    when,
};

use crate::parameters::{Parameter, parameter};
use crate::parts::steps::judged;
use crate::parts::turn_values::STEP_REWARDS;
use crate::parts::turns::all_by_turn;
use crate::parts::units::once_per_unit;
use crate::parts::whitening::{WHITEN_ON, WHITENING, whitened};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};
use crate::recipes::process::TOKEN_VALUES;

const PARAMETERS: &[Parameter] = &[
    parameter("high_level_gamma", "0.95", "discount per turn"),
    parameter("gamma", "1.0", "discount per token inside a turn"),
    parameter("lam", "1.0", "lambda of both estimates"),
    parameter(
        "kept_groups",
        "1.0",
        "StarPO-S: share of the groups that are trained on, those whose rewards deviate most; the authors' 0.25",
    ),
];

/// RAGEN: `A_k = r_k + gamma_turn V_{k+1} - V_k + gamma_turn lambda A_{k+1}` with the values at the ends of
/// turns; then inside each turn an estimate over its tokens with the reward `A_k + V_k` at the end.
///
/// Of `n` groups the `floor(n kept_groups)` whose rewards deviate most are kept; a rollout of another has weight 0.
pub const RAGEN: Recipe = Recipe {
    name: "ragen",
    title: "bi-level advantage estimation: over turns, then over the tokens of each",
    citation: "RAGEN, arXiv 2504.20073; RAGEN-AI/RAGEN core_algos",
    family: "turns",
    objective: ("ppo_clip", &[("value_coef", "0.5")]),
    formula: "A_k = GAE over turns; A_t = GAE over the turn's tokens with reward A_k + V_k at its end",
    fidelity: Fidelity::Equations,
    deviations: "turns are those of the data: the program takes tokens of non-zero reward for the ends of turns, so that a turn of reward 0 is none, and fails where the last token is no end. Guessed: at least one group is kept, and of equal deviations the first",
    inputs: &[&[STEP_REWARDS, TOKEN_VALUES]],
    parameters: &[PARAMETERS, &[WHITEN_ON], WHITENING],
    plan: |parameters| {
        let (of_turns, gamma) = (parameters.number("high_level_gamma")?, parameters.number("gamma")?);
        let lam = parameters.number("lam")?;
        let values = || signal("token_values");
        let (rewards, at_ends) = (|| signal("turn_rewards"), || signal("turn_values"));
        let is_end = || value(1.0).spread(TURN).at_last(TOKEN).equals(1.0);
        let next = values().shift(-1, Some(value(0.0)));
        let delta: Expr = when(is_end(), signal("token_turn_returns"), gamma * next) - values();
        let advantage = delta.recur(when(is_end(), 0.0, gamma * lam));
        let earned = || all_by_turn(signal("step_rewards"), Reduction::Sum);
        let credit = judged([earned(), values()])
            .define("turn_rewards", earned())
            .define("turn_values", values().reduce(TURN, Reduction::Last))
            .define("turn_estimates", gae(rewards(), at_ends(), of_turns, lam, trainable()))
            .define("token_turn_returns", (signal("turn_estimates") + at_ends()).at_last(TOKEN))
            .define("token_estimates", advantage)
            .returns(signal("token_estimates") + values());
        let kept = parameters.number("kept_groups")?;
        let credit = if kept < 1.0 {
            let of_groups = || once_per_unit(signal("group_deviation"), group(), trainable());
            let number = (kept * members(of_groups(), batch())).floor().max(1.0);
            credit
                .define("group_deviation", std(signal("reward"), group(), 0).or_else(0.0))
                .define("group_place", maximum(rank(of_groups(), batch(), false), group()))
                .weights(when(signal("group_place").less(number), 1.0, 0.0))
        } else {
            credit
        };
        Ok(credit.advantage(whitened(parameters, signal("token_estimates"))?).into())
    },
    ..ADVANTAGE
};
