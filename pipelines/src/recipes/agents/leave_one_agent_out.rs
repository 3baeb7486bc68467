//! Leave one agent out: the team's reward less the reward without the agent.

use meed_operators::credit::{Credit, signal};

use super::inputs::{AGENT_COUNTERFACTUAL_REWARDS, AGENT_IDS};
use crate::parts::agents::{COMPARED, of_agents};
use crate::parts::group::GROUP;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

/// `A_i = R - R_{-i}` on the steps of agent `i`, where `R_{-i}` is the stored reward of the rollout without it.
///
/// A rollout in which an acting agent has no such reward is left out. With `compared=agent` the difference is
/// normalised among those of the same agent in the group.
pub const LEAVE_ONE_AGENT_OUT: Recipe = Recipe {
    name: "leave_one_agent_out",
    title: "the team's reward less the stored reward without the agent",
    citation: "difference rewards (Wolpert and Tumer 2001); COMA, Foerster et al. 2018, arXiv 1705.08926",
    family: "agents",
    formula: "A_i = R - R_{-i}",
    fidelity: Fidelity::Equations,
    deviations: "the counterfactual is the agent's absence, as stored; COMA's is the mean over its other actions",
    inputs: &[&[AGENT_IDS, AGENT_COUNTERFACTUAL_REWARDS]],
    parameters: &[COMPARED, GROUP],
    plan: |parameters| {
        let without = signal("reward") - signal("agent_counterfactual_rewards");
        Ok(of_agents(parameters, Credit::new(), without)?.into())
    },
    ..ADVANTAGE
};
