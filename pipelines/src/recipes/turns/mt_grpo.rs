//! MT-GRPO: what a tool call earns is credited to the tokens before its result.

use meed_operators::credit::{
    Credit, Norm, ROLLOUT, Reduction, Running, STEP, all, kind, normalize, signal, value, when,
};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::steps::steps_before;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "tool_reward",
    Of::Number,
    "what the tool call of the rollout earned, such as whether it ran and found the answer",
    "a rule or judge of tool calls and their results, or an import",
)];

const PARAMETERS: &[Parameter] = &[
    parameter("coef", "1.0", "weight of the turn's part"),
    parameter("eps", "1e-4", "added to deviations"),
    parameter("ddof", "1", "delta degrees of freedom of deviations"),
    parameter("results", r#"["observation", "environment"]"#, "kinds of steps that are results of tools"),
];

/// MT-GRPO: `A = z(R) + coef z(r)` before the first tool result, `z(R)` after it, with `r` the reward of the
/// tool call, `R` the outcome; `z(R + r)` in a rollout without a tool result.
///
/// What an environment says before the policy has acted is no result.
pub const MT_GRPO: Recipe = Recipe {
    name: "mt_grpo",
    title: "the reward of a tool call credited to what comes before its result",
    citation: "Zeng et al. 2025, Reinforcing Multi-Turn Reasoning by Turn-Level Credit Assignment, arXiv 2505.11821; SiliangZeng/Multi-Turn-RL-Agent",
    family: "turns",
    formula: "A = z(R) + coef z(r) before the first tool result, z(R) after; z(R + r) without one",
    fidelity: Fidelity::Equations,
    deviations: "guessed: the combined reward is the sum of both, and a lone rollout has 0",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let norm = Norm { ddof: parameters.small("ddof")?, ..Norm::group_std(parameters.number("eps")?) };
        let kinds = parameters.texts("results")?;
        let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
        let is_result = || kind(STEP, &kinds).and(steps_before().greater(0.0));
        let before = value(1.0).spread(STEP).scan(Running::Count).over(all().only(is_result())).equals(0.0);
        let none = is_result().reduce(ROLLOUT, Reduction::Any).over(all()).or_else(0.0).equals(0.0);
        let (outcome, turn) = (|| signal("outcome_advantage"), signal("turn_advantage"));
        let credit = Credit::new()
            .define("outcome_advantage", normalize(signal("reward"), &norm))
            .define("turn_advantage", normalize(signal("tool_reward"), &norm))
            .define("combined_advantage", normalize(signal("reward") + signal("tool_reward"), &norm));
        let by_step = outcome() + when(before, parameters.number("coef")? * turn, 0.0);
        Ok(credit.advantage(when(none, signal("combined_advantage"), by_step)).into())
    },
    ..ADVANTAGE
};
