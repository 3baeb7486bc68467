//! iStar: rewards of steps from an implicit process reward model, beside the outcome of the episode.

use meed_operators::Result;
use meed_operators::credit::{
    Center, Expr, Members, Norm, Reduction, STEP, Statistic, TOKEN, TURN, aggregate, batch, group,
    if_present, maximum, mean, members, normalize, signal, trainable, value, when,
};

use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::divergence::policy_logprobs;
use crate::parts::steps::judged;
use crate::parts::turns::{all_by_turn, turns_before};
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};
use crate::recipes::process::TOKEN_PRM_LOGPROBS;

const PARAMETERS: &[Parameter] = &[
    parameter(
        "estimator",
        "rloo",
        "rloo: each part less the mean of the others; grpo_mean, grpo_std: less the mean, divided by the deviation; process_only: rewards of steps alone, by rloo; combined: outcome and reward of the step first, then rloo; reinforce_baseline: less the mean, then whitened over the batch's tokens",
    ),
    parameter("step_weight", "1.0", "weight of the steps' part"),
    parameter("beta", "0.05", "scale of log-ratios"),
    parameter("normalise", "none", "none; batch: divided by the largest reward of a step in the batch"),
    parameter(
        "invalid_action_penalty",
        "0.0",
        "taken off the outcome at a step whose step_action_valid is false",
    ),
    parameter("eps", "1e-6", "added to deviations"),
    parameter(
        "step_statistics",
        "all",
        "what steps are compared with: all steps of the group (the paper's), first (the first step of each rollout, as released)",
    ),
];

/// iStar: `A = A_episode + alpha A_step`, the outcome and each step's `beta sum (log pi_prm - log pi_old)`
/// compared in the group, `(x - mean) n / (n - 1)`.
///
/// A step is one turn of the policy. Released, the mean, deviation and number of the steps' part are those of
/// the first step of each rollout (`step_statistics=first`). A value that is compared with no other stays as
/// it is, as released.
pub const ISTAR: Recipe = Recipe {
    name: "istar",
    title: "implicit process rewards of steps beside the outcome, both compared in the group",
    citation: "iStar, Online Process Reward Learning for Agentic RL, arXiv 2509.19199; Tongyi-ConvAI/Qwen-Character",
    family: "turns",
    formula: "A = loo(R) + alpha loo(r_k), r_k = beta sum_{t in step k} (log pi_prm - log pi_old)",
    fidelity: Fidelity::Reference,
    deviations: "steps are compared with all steps of the group; with the first ones, as released, by step_statistics=first",
    inputs: &[&[TOKEN_PRM_LOGPROBS]],
    parameters: &[PARAMETERS],
    plan,
    ..ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let log_ratio = signal("token_prm_logprobs") - policy_logprobs();
    let reward: Expr = parameters.number("beta")? * all_by_turn(log_ratio.clone(), Reduction::Sum);
    let reward = match parameters.text("normalise")? {
        "none" => reward,
        "batch" => reward.clone() / (maximum(reward.abs(), batch()) + 1e-6),
        _ => return Err(parameters.unknown("normalise", &["none", "batch"])),
    };
    let penalty = parameters.number("invalid_action_penalty")?;
    let outcome = signal("reward").spread(TURN);
    let outcome = if penalty == 0.0 {
        outcome
    } else {
        let invalid = signal("step_action_valid").equals(0.0).reduce(TURN, Reduction::Any);
        outcome - if_present(when(invalid, penalty, 0.0).or_else(0.0), value(0.0))
    };
    let firsts = trainable().only(turns_before().equals(0.0));
    let counted = match parameters.text("step_statistics")? {
        "all" => trainable(),
        "first" => firsts.clone(),
        _ => return Err(parameters.unknown("step_statistics", &["all", "first"])),
    };
    let weight = parameters.number("step_weight")?;
    let credit = judged([log_ratio])
        .define("turn_rewards", reward)
        .define("step_rewards", signal("turn_rewards").at_last(STEP))
        .define("turn_outcomes", outcome);
    let (rewards, outcomes) = (signal("turn_rewards"), signal("turn_outcomes"));
    let eps = parameters.number("eps")?;
    let compared: fn(Expr, &Members, f64) -> Expr = match parameters.text("estimator")? {
        "rloo" | "process_only" | "combined" => leave_one_out,
        "grpo_mean" => |x, who, _| centred(x, who),
        "grpo_std" => standardised,
        "reinforce_baseline" => whitened,
        _ => {
            let known = ["rloo", "grpo_mean", "grpo_std", "process_only", "combined", "reinforce_baseline"];
            return Err(parameters.unknown("estimator", &known));
        }
    };
    let advantage = match parameters.text("estimator")? {
        "process_only" => compared(rewards, &counted, eps),
        "combined" => compared(outcomes + weight * rewards, &counted, eps),
        _ => compared(outcomes, &firsts, eps) + weight * compared(rewards, &counted, eps),
    };
    Ok(credit.advantage(advantage).into())
}

/// `x - mean`; `x` itself where there is no other.
fn centred(x: Expr, who: &Members) -> Expr {
    let number = members(x.clone(), group()).over(who.clone());
    when(number.equals(1.0), x.clone(), x.clone() - mean(x, group()).over(who.clone()))
}

fn leave_one_out(x: Expr, who: &Members, _eps: f64) -> Expr {
    let number = || members(x.clone(), group()).over(who.clone());
    centred(x.clone(), who) * when(number().equals(1.0), 1.0, number() / (number() - 1.0).max(1.0))
}

fn standardised(x: Expr, who: &Members, eps: f64) -> Expr {
    let variance = aggregate(Statistic::Variance { ddof: 1 }, x.clone(), group()).over(who.clone());
    centred(x, who) / (variance.sqrt().or_else(1.0) + eps)
}

fn whitened(x: Expr, who: &Members, _eps: f64) -> Expr {
    let norm = Norm { counted_at: Some(TOKEN), center: Center::Mean(batch()), ..Norm::whitening(1e-8) };
    normalize(centred(x, who), &norm)
}
