//! Dr. MAS: rewards normalised among the rows of the same agent.

use meed_operators::credit::{Credit, STEP, group, normalize, signal};

use crate::parameters::{Parameter, parameter};
use crate::parts::group::{GROUP, group_norm_by};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[parameter(
    "rewarded",
    "outcome",
    "outcome: every row has the reward of its rollout; step: rows have their step_rewards",
)];

/// Dr. MAS: `A = (r - mean(r)) / (std(r) + eps)` over all steps of the same agent in the group.
///
/// A step is one row of the released program: one call of an agent. An agent that acts once in the whole group
/// keeps `r / (1 + eps)`, as there.
pub const DR_MAS: Recipe = Recipe {
    name: "dr_mas",
    title: "group-relative advantage per agent",
    citation: "Dr. MAS, arXiv 2602.08847; langfengQ/DrMAS, core_algos with group_by_agent_id",
    family: "agents",
    formula: "A = normalize(r, by(group, agent)) over steps",
    fidelity: Fidelity::Equations,
    deviations: "",
    inputs: &[],
    parameters: &[PARAMETERS, &[GROUP[0], GROUP[1], GROUP[2], Parameter { default: "raw", ..GROUP[3] }]],
    plan: |parameters| {
        let rewards = match parameters.text("rewarded")? {
            "outcome" => signal("reward").spread(STEP),
            "step" => signal("step_rewards"),
            _ => return Err(parameters.unknown("rewarded", &["outcome", "step"])),
        };
        let norm = group_norm_by(parameters, group().and(signal("step_agents")))?;
        let credit = Credit::new().define("step_agent_rewards", rewards);
        Ok(credit.advantage(normalize(signal("step_agent_rewards"), &norm)).into())
    },
    ..ADVANTAGE
};
