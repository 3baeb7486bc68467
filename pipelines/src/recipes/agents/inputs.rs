//! Columns of rollouts by several agents, under the same names in every recipe of the family.

use crate::inputs::{Input, Of, input, items};

const ENVIRONMENT: &str = "a multi-agent environment, on import";
const REPLAY: &str =
    "replay the rollout without the agent, or with a neutral message in its place, and store the reward";

/// Agents of a rollout.
pub const AGENT_IDS: Input =
    items("agent_ids", Of::Text, "names of the rollout's agents, each once", ENVIRONMENT);

/// Rewards without an agent.
pub const AGENT_COUNTERFACTUAL_REWARDS: Input = items(
    "agent_counterfactual_rewards",
    Of::Number,
    "for each agent, the reward that the rollout has without it",
    REPLAY,
);

/// Roles of steps.
pub const STEP_ROLES: Input = input("step_roles", Of::Text, "role of the agent that acts", ENVIRONMENT);
