//! LLM-MCA: credit that a language model gives to each agent, checked against the team's reward.

use meed_operators::credit::{Credit, Reduction, signal, when};

use super::inputs::AGENT_IDS;
use crate::inputs::{Input, Of, items};
use crate::parameters::{Parameter, parameter};
use crate::parts::agents::{COMPARED, of_agents};
use crate::parts::group::GROUP;
use crate::parts::shaped::complete;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[items(
    "agent_assigned_rewards",
    Of::Number,
    "part of the team's reward that the central critic gives to each agent",
    "a judge that reads the global state and the actions of all agents",
)];

const PARAMETERS: &[Parameter] = &[
    parameter("tolerance", "1e-6", "most that the parts may differ from the team's reward in sum"),
    parameter(
        "disagreement",
        "left_out",
        "a rollout whose parts do not sum to its reward: left_out, or scaled (parts times reward / sum; left out where the sum is 0)",
    ),
];

/// LLM-MCA: each agent's part of the team's reward is its own reward, on its steps.
///
/// The parts agree if they sum to the team's reward. Those of a rollout that do not are no credit.
pub const LLM_MCA: Recipe = Recipe {
    name: "llm_mca",
    title: "parts of the team's reward that a language model gives to agents, if they agree",
    citation: "LLM-MCA, arXiv 2502.16863",
    family: "agents",
    formula: "A_i = c_i if |sum(c) - R| <= tolerance",
    fidelity: Fidelity::Reconstructed,
    deviations: "read from the abstract: what happens to parts that disagree, and that a part is the advantage of every step of its agent, are guesses; the paper trains value functions on the parts",
    inputs: &[&[AGENT_IDS], INPUTS],
    parameters: &[PARAMETERS, COMPARED, GROUP],
    plan: |parameters| {
        let (parts, assigned) = (|| signal("agent_assigned_rewards"), || signal("assigned_reward"));
        let disagree = (assigned() - signal("reward")).abs().greater(parameters.number("tolerance")?);
        let credit = Credit::new()
            .define("assigned_reward", complete(parts(), Reduction::Sum, None))
            .define("disagreement", disagree);
        let agreed = match parameters.text("disagreement")? {
            "left_out" => parts().null_if(signal("disagreement")),
            "scaled" => {
                let share = parts() / assigned().null_if(assigned().equals(0.0));
                when(signal("disagreement"), share * signal("reward"), parts())
            }
            _ => return Err(parameters.unknown("disagreement", &["left_out", "scaled"])),
        };
        Ok(of_agents(parameters, credit, agreed)?.into())
    },
    ..ADVANTAGE
};
