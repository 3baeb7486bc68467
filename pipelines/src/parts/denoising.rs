//! Denoising steps: which are compared, which are trained, and what each added to its completion's reward.

use meed_operators::Result;
use meed_operators::credit::{
    By, Center, Expr, Norm, STEP, Scale, batch, difference, group, if_present, normalize, random, rank,
    rollout, signal, when,
};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::steps::{indicator, is_last_step, policy_steps, steps_before};

/// Rewards of deterministic completions.
pub const COMPLETIONS: &[Input] = &[
    input(
        "step_completion_rewards",
        Of::Number,
        "reward of the sample that the latent after the step becomes where it is completed without further noise",
        "complete the latent after each step deterministically and score the results with the reward model",
    ),
    input(
        "initial_completion_reward",
        Of::Number,
        "reward of the sample that the initial noise becomes without further noise",
        "complete the initial noise deterministically and score the result with the reward model",
    ),
];

/// Where each step leads.
pub const STEP_NEXT_SIGMAS: Input = input(
    "step_next_sigmas",
    Of::Share,
    "noise level that the denoising step leads to; a step to 0 adds no noise, and is not trained",
    "the sampler's schedule, on import",
);

/// What is added to the deviation of Flow-GRPO's statistics.
pub const FLOW_EPS: &[Parameter] = &[parameter("eps", "1e-4", "added to the deviation")];

/// Where Flow-GRPO takes the deviation.
pub const GLOBAL_STD: &[Parameter] =
    &[parameter("global_std", "false", "true: the deviation of the whole batch, about the group's mean")];

/// `(x - mean) / (std + eps)` with the population deviation, as Flow-GRPO has it.
pub fn flow_norm(parameters: &Parameters, center: By, scale: By) -> Result<Norm> {
    let (center, scale) = (Center::Mean(center), Scale::Std(scale));
    Ok(Norm { center, scale, ddof: 0, ..Norm::group_std(parameters.number("eps")?) })
}

/// Where the deviation is taken: in the group, or by [`GLOBAL_STD`] in the batch.
pub fn spread_of(parameters: &Parameters) -> Result<By> {
    Ok(if parameters.boolean("global_std")? { batch() } else { group() })
}

/// A value of steps, compared with that of the same step of the group's other samples.
pub fn compared_at_step(parameters: &Parameters, x: Expr, scale: By) -> Result<Expr> {
    let at_step = |by: By| by.and(steps_before());
    Ok(normalize(x, &flow_norm(parameters, at_step(group()), at_step(scale))?))
}

/// Reward of the completion from the latent that a step starts from.
pub fn completion_before() -> Expr {
    signal("step_completion_rewards").shift(1, Some(signal("initial_completion_reward")))
}

/// What a step added to the reward of the completion.
pub fn completion_gain() -> Expr {
    difference(signal("step_completion_rewards"), Some(signal("initial_completion_reward")))
}

/// 0 at a step to noise level 0, where the data tells it; else 1.
pub fn adds_noise() -> Expr {
    if_present(indicator(signal("step_next_sigmas").greater(0.0)), 1.0.into())
}

/// Parameters of [`drawn_steps`].
pub const DRAWN_STEPS: &[Parameter] = &[
    parameter("timestep_fraction", "0.6", "share of a sample's steps but the last that are trained, drawn"),
    parameter("seed", "0", "of the draw"),
];

/// 1 at a random share of each sample's steps but the last, 0 elsewhere.
pub fn drawn_steps(parameters: &Parameters) -> Result<Expr> {
    let seed = parameters.number("seed")? as u64;
    let kept = ((policy_steps() - 1.0) * parameters.number("timestep_fraction")?).floor();
    let order = rank(random(STEP, seed).null_if(is_last_step()), rollout(), true);
    Ok(when(order.less(kept), 1.0, 0.0).or_else(0.0))
}
