//! Knapsack RL: groups of different sizes, what their rollouts are worth, and the sizes of the next ones.

use std::sync::Arc;

use meed_operators::Result;
use meed_operators::credit::{Credit, group, mean, members, signal};
use meed_operators::signals::NextRollouts;

use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::{GROUP, group_advantage};
use crate::recipe::{Fidelity, Plan, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter(
        "rollouts_per_prompt",
        "null",
        "rollouts per prompt on average; null: as many as the iteration has",
    ),
    parameter("low", "2", "fewest rollouts of a prompt"),
    parameter("high", "128", "most rollouts of a prompt"),
    parameter("warm_up", "0", "so many first iterations share evenly"),
];

/// Knapsack RL: GRPO on groups of different sizes. `success_rate` is the group's mean reward `p`, and
/// `rollout_value` what its `N` rollouts were worth, `(1 - p^N - (1-p)^N) p (1-p)^2`: the chance of a
/// mixed group times what is learned from it.
///
/// `next_rollouts` is how many of the next iteration's rollouts the group's prompt gets, so that they are
/// worth most in all; what is left goes to prompts of rate 0. The sampling strategy `knapsack_rl` spends
/// them so. Rewards are to lie in 0 to 1.
pub const KNAPSACK_RL: Recipe = Recipe {
    name: "knapsack_rl",
    title: "group-relative advantage on groups whose sizes a knapsack decides",
    citation: "Knapsack RL: Optimizing Budget Allocation, arXiv 2509.25849",
    family: "outcome",
    formula: "A = normalize(r), next N = argmax sum V(N, p), V(N, p) = (1 - p^N - (1-p)^N) p (1-p)^2",
    fidelity: Fidelity::Equations,
    deviations: "marginal gains in place of dynamic programming, which agree as V is concave; where the budget is too small, prompts that are worth least have none",
    parameters: &[PARAMETERS, GROUP],
    plan,
    ..crate::recipe::ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let p = || signal("success_rate");
    let size = || members(signal("reward"), group());
    let (none_right, none_wrong) = ((1.0 - p()).power(size()), p().power(size()));
    let worth = (1.0 - none_right - none_wrong) * p() * (1.0 - p()).square();
    let credit = Credit::new()
        .define("success_rate", mean(signal("reward"), group()))
        .define("rollout_value", worth)
        .define("next_rollouts", signal("allocated_rollouts"))
        .advantage(group_advantage(parameters, signal("reward"))?);
    let next = NextRollouts {
        success: signal("reward"),
        per_prompt: parameters.optional_number("rollouts_per_prompt")?,
        low: usize::from(parameters.small("low")?),
        high: usize::from(parameters.small("high")?),
        warm_up: parameters.number("warm_up")? as i64,
    };
    Ok(Plan { gathers: vec![Arc::new(next)], ..credit.into() })
}
