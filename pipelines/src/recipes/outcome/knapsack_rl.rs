//! Knapsack RL: groups of different sizes, and what a prompt's rollouts are worth.

use meed_operators::credit::{Credit, group, mean, members, signal};

use crate::parts::group::{GROUP, group_advantage};
use crate::recipe::{Fidelity, Recipe};

/// Knapsack RL: GRPO on groups of different sizes. `success_rate` is the group's mean reward `p`, and
/// `rollout_value` what its `N` rollouts were worth, `(1 - p^N - (1-p)^N) p (1-p)^2`: the chance of a
/// mixed group times what is learned from it.
///
/// The sampling strategy `knapsack_rl` gives the next iteration's rollouts to the prompts where they
/// are worth most in all.
pub const KNAPSACK_RL: Recipe = Recipe {
    name: "knapsack_rl",
    title: "group-relative advantage on groups whose sizes a knapsack decides, with their value",
    citation: "Knapsack RL: Optimizing Budget Allocation, arXiv 2509.25849",
    family: "outcome",
    formula: "A = normalize(r), V(N, p) = (1 - p^N - (1-p)^N) p (1-p)^2",
    fidelity: Fidelity::Equations,
    deviations: "groups without variance get 0",
    parameters: &[GROUP],
    plan: |parameters| {
        let p = || signal("success_rate");
        let size = || members(signal("reward"), group());
        let (none_right, none_wrong) = ((1.0 - p()).power(size()), p().power(size()));
        let worth = (1.0 - none_right - none_wrong) * p() * (1.0 - p()).square();
        Ok(Credit::new()
            .define("success_rate", mean(signal("reward"), group()))
            .define("rollout_value", worth)
            .advantage(group_advantage(parameters, signal("reward"))?)
            .into())
    },
    ..crate::recipe::ADVANTAGE
};
