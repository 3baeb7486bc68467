//! Agent Lightning: the group-relative advantage of a rollout on every call of a model in it.

use meed_operators::credit::{Credit, Norm, if_present, normalize, signal};

use crate::parts::group::{GROUP, group_norm};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

/// Agent Lightning: GRPO over rollouts, whose transitions (calls of a model) all have the rollout's advantage.
///
/// Where a rollout has a row per transition, it counts once, by `source_rollout_id`. The loss is a mean over
/// rollouts, not over transitions: `aggregate=trajectory_mean_token_mean` where rollouts have several rows.
pub const AGENT_LIGHTNING: Recipe = Recipe {
    name: "agent_lightning",
    title: "group-relative advantage of a rollout on all of its transitions",
    citation: "Agent Lightning, arXiv 2508.03680; microsoft/agent-lightning",
    family: "agents",
    objective: ("ppo_clip", &[("aggregate", "seq_mean_token_mean")]),
    formula: "A = (R - mean(R)) / (std(R) + eps), once per rollout",
    fidelity: Fidelity::Equations,
    deviations: "",
    inputs: &[],
    parameters: &[GROUP],
    plan: |parameters| {
        let rollout = if_present(signal("source_rollout_id"), signal("rollout_id"));
        let norm = Norm { once_per: Some(rollout), ..group_norm(parameters)? };
        Ok(Credit::new().advantage(normalize(signal("reward"), &norm)).into())
    },
    ..ADVANTAGE
};
