//! WSRL: a frozen phase that fills the buffer, then targets of an ensemble of critics.

use meed_operators::credit::{
    Credit, Level, Reduction, STEP, index, progress, random, rank, rollout, signal, trainable, when,
};

use super::inputs::STEP_REWARDS;
use crate::inputs::{Input, Of, input, pairs};
use crate::parameters::{Parameter, parameter};
use crate::parts::shaped::all_known;
use crate::recipe::{Fidelity, REWARD, Recipe};

const INPUTS: &[Input] = &[
    STEP_REWARDS,
    input("step_dones", Of::Flag, "whether the episode ended with the step", "an environment, on import"),
    pairs(
        "step_critic_next_values",
        Of::Number,
        "per step a list with the value of each target critic for the next state and a fresh action there",
        "an ensemble of critics, of which slow copies are kept",
    ),
    input(
        "step_next_logprobs",
        Of::Number,
        "log-probability of that fresh action under the policy",
        "the learner, where it evaluates the critics",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "warm_up",
        "1",
        "iterations of the frozen policy before the first update; the paper counts 5000 steps",
    ),
    parameter("gamma", "0.99", "discount per step"),
    parameter("alpha", "0.2", "weight of the entropy; the paper learns it"),
    parameter("subset", "2", "how many critics are drawn for each target, of the paper's 10"),
    parameter("seed", "0", "seed of the draws"),
];

/// WSRL: `y = r + gamma (1 - done) (min_{i in subset} Q_i(s', a') - alpha log pi(a'|s'))`, and `updates_enabled` from
/// iteration `warm_up` on.
///
/// The subset is drawn anew for each step, as a function of seed, iteration, rollout and position; a step for which one
/// of the critics has no value has no target. Its schedule in steps of the environment, with several updates for each,
/// is `meed_operators::update::WarmStart`.
pub const WSRL: Recipe = Recipe {
    name: "wsrl",
    title: "frozen warm-up rollouts, then entropy-regularised targets of a random subset of critics",
    citation: "Zhou et al. 2024, Efficient Online RL Fine-Tuning Need Not Retain Offline Data, arXiv 2412.07762; zhouzypaul/wsrl",
    family: "redistribution",
    formula: "y = r + gamma * (1 - done) * (min_{i in subset} Q_i - alpha * log pi); updates from iteration warm_up on",
    fidelity: Fidelity::Equations,
    deviations: "the schedule counts iterations, of which one is warm-up (a guess); alpha is fixed and 0.2 (a guess) where the paper learns it",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let seed = parameters.get("seed").as_u64();
        let seed = seed.ok_or_else(|| parameters.unknown("seed", &["a whole number"]))?;
        let warm_up = parameters.number("warm_up")?;
        let drawn = random(Level::pair(&STEP, "critic"), seed);
        let drawn = rank(drawn, rollout().and(index(STEP)), true).less(parameters.number("subset")?);
        let critics = || signal("step_critic_next_values");
        let least = critics().reduce(STEP, Reduction::Min).over(trainable().only(drawn));
        let entropy = parameters.number("alpha")? * signal("step_next_logprobs");
        let next = parameters.number("gamma")? * (signal("step_least_values") - entropy);
        Ok(Credit::new()
            .define("updates_enabled", progress(warm_up - 1.0, warm_up).at_least(1.0))
            .define("step_least_values", least + all_known(critics(), STEP))
            .define("step_targets", signal("step_rewards") + when(signal("step_dones"), 0.0, next))
            .into())
    },
    ..REWARD
};
