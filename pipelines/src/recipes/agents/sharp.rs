//! SHARP: global accuracy, marginal credit and tool process reward of each agent, normalised per agent.

use meed_operators::credit::{Credit, signal};

use super::inputs::{AGENT_COUNTERFACTUAL_REWARDS, AGENT_IDS};
use crate::inputs::{Input, Of, items};
use crate::parameters::{Parameter, parameter};
use crate::parts::agents::{among_own, of_acting_agent};
use crate::parts::coalitions::{COALITION_INPUTS, COALITIONS, shapley_values};
use crate::parts::group::GROUP;
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};

const INPUTS: &[Input] = &[items(
    "agent_tool_rewards",
    Of::Number,
    "process reward of each agent's tool calls",
    "a verifier of tool calls, such as whether they ran",
)];

const PARAMETERS: &[Parameter] = &[
    parameter("global_weight", "1.0", "weight of the reward of the rollout"),
    parameter("marginal_weight", "1.0", "weight of the agent's marginal credit"),
    parameter("tool_weight", "1.0", "weight of the agent's tool reward; 0 reads none"),
    parameter(
        "marginal",
        "masked",
        "masked: the reward less that with the agent masked; shapley: the Shapley value of the agent",
    ),
];

/// SHARP: `r_i = a R + b (R - R_{-i}) + c tool_i`, normalised per agent in the group, on the agent's steps.
pub const SHARP: Recipe = Recipe {
    name: "sharp",
    title: "global, marginal and tool rewards of each agent, normalised per agent",
    citation: "SHARP, arXiv 2602.08335",
    family: "agents",
    formula: "r_i = a R + b (R - R_{-i}) + c tool_i; A_i = normalize(r_i, by(group, agent))",
    fidelity: Fidelity::Reconstructed,
    deviations: "read from the abstract: the three weights and the form of the deviation are guesses",
    inputs: &[&[AGENT_IDS, AGENT_COUNTERFACTUAL_REWARDS], INPUTS, COALITION_INPUTS],
    parameters: &[PARAMETERS, COALITIONS, GROUP],
    plan: |parameters| {
        let mut plan = Plan::default();
        let marginal = match parameters.text("marginal")? {
            "masked" => signal("reward") - signal("agent_counterfactual_rewards"),
            "shapley" => {
                plan.operators.push(shapley_values(parameters, "agent_ids")?);
                signal("agent_shapley_values")
            }
            _ => return Err(parameters.unknown("marginal", &["masked", "shapley"])),
        };
        let weight = |name: &str| parameters.number(name);
        let mut reward = weight("global_weight")? * signal("reward")
            + weight("marginal_weight")? * signal("agent_marginal_credit");
        if weight("tool_weight")? != 0.0 {
            reward = reward + weight("tool_weight")? * signal("agent_tool_rewards");
        }
        plan.credit = Credit::new()
            .define("agent_marginal_credit", marginal)
            .define("agent_rewards", reward)
            .define("agent_advantages", among_own(parameters, signal("agent_rewards"))?)
            .advantage(of_acting_agent(signal("agent_advantages")));
        Ok(plan)
    },
    ..ADVANTAGE
};
