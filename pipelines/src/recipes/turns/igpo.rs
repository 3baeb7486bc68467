//! IGPO: a turn is rewarded by what it adds to the likelihood of the gold answer.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, STEP, TOKEN, all, group, index, members, normalize, signal, sum, trainable, when,
};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::turns::{
    SCALE, ZERO_GAINS, before_last_turn, by_turn, gain_norm, gains, is_last_turn, return_from_known,
};
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};

const INPUTS: &[Input] = &[
    input(
        "step_gold_logprobs",
        Of::Number,
        "mean log-probability of the gold answer's tokens after the step; of the steps of a turn the last one that has one counts, and the answer's turn has none",
        "the judge `gold_logprobs`",
    ),
    input(
        "prompt_gold_logprob",
        Of::Number,
        "mean log-probability of the gold answer's tokens after the prompt",
        "the judge `prompt_gold_logprob`",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "gain",
        "log_prob_diff",
        "log_prob_diff (the authors' script): of mean log-probabilities; prob_diff (the paper's): of probabilities",
    ),
    parameter(
        "normalise",
        "separate",
        "separate (the authors' script): outcomes and gains among themselves; joint: one pool for both",
    ),
    parameter("gamma", "1.0", "discount per turn"),
    parameter("outcome_weight", "1.0", "of the outcome, before it is normalised"),
    parameter("gain_weight", "1.0", "of gains, before they are normalised"),
    parameter("eps", "1e-6", "added to the deviation"),
    parameter(
        "baseline",
        "normalised",
        "normalised; position_mean (the first release): raw returns less their mean at the same token position, where a rollout that has ended counts as 0",
    ),
];

/// IGPO: `A_t = sum_{k >= t} gamma^(k-t) z_k` with `z` the normalised gain `lp_t - lp_{t-1}` of a turn, and
/// at the last turn the normalised outcome.
///
/// A turn without a likelihood is part of the next one that has one: its tokens take that one's advantage,
/// and the gain counts from the last likelihood that is known. In the authors' advantage function a gain of
/// exactly 0 has the same effect, but their reward function puts 1e-10 in its place, so that the turn counts
/// (`zero_gains=turns`).
pub const IGPO: Recipe = Recipe {
    name: "igpo",
    title: "turns rewarded by the gain in likelihood of the gold answer",
    citation: "IGPO, arXiv 2510.14967; GuoqingWang1/IGPO, debajoycs98/IGPO",
    family: "turns",
    objective: ("ppo_clip", &[("kl", r#"{"coef": 0.001}"#)]),
    formula: "A_t = sum_{k>=t} gamma^(k-t) z_k, z = normalize(lp_t - lp_{t-1}, by(group)), at the last turn normalize(reward, by(group))",
    fidelity: Fidelity::Reference,
    deviations: "a normalised reward of exactly 0 keeps its turn, where the authors' function loses it; the last position is found with environment tokens in between; the weights of the curriculum are fixed numbers, to be set per run",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, SCALE, ZERO_GAINS],
    plan,
    ..ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let likelihood = |logprob: Expr| {
        Ok(match parameters.text("gain")? {
            "log_prob_diff" => logprob,
            "prob_diff" => logprob.exp(),
            _ => return Err(parameters.unknown("gain", &["log_prob_diff", "prob_diff"])),
        })
    };
    let after = likelihood(before_last_turn(by_turn(signal("step_gold_logprobs"))))?;
    let known = trainable().only(after.clone().is_null().negated());
    let gained = after.clone() - after.shift(1, Some(likelihood(signal("prompt_gold_logprob"))?)).over(known);
    let credit = Credit::new()
        .define("turn_gains", gains(parameters, gained)?)
        .define("step_information_gains", signal("turn_gains").at_last(STEP));
    let outcome = parameters.number("outcome_weight")? * signal("reward");
    let gain = parameters.number("gain_weight")? * signal("turn_gains");
    let either = |outcome: Expr, gain: Expr| when(is_last_turn(), outcome, gain);
    let gamma = parameters.number("gamma")?;
    match parameters.text("baseline")? {
        "normalised" => {}
        "position_mean" => {
            let returns = return_from_known(either(outcome, gain), gamma);
            let at_position =
                sum(signal("turn_returns").spread(TOKEN), group().and(index(TOKEN))).over(all());
            let mean = at_position / members(signal("reward"), group());
            let credit = credit.define("turn_returns", returns);
            return Ok(credit.advantage(signal("turn_returns").spread(TOKEN) - mean).into());
        }
        _ => return Err(parameters.unknown("baseline", &["normalised", "position_mean"])),
    }
    let norm = gain_norm(parameters)?;
    let rewards = match parameters.text("normalise")? {
        "separate" => either(normalize(outcome, &norm), normalize(gain, &norm)),
        "joint" => normalize(either(outcome, gain), &norm),
        _ => return Err(parameters.unknown("normalise", &["separate", "joint"])),
    };
    let credit = credit.define("turn_rewards", rewards);
    Ok(credit.advantage(return_from_known(signal("turn_rewards"), gamma)).into())
}
