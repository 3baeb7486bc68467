//! Shapley values of agents from the stored rewards of their coalitions.

use meed_operators::credit::{Credit, signal};

use super::inputs::AGENT_IDS;
use crate::parts::agents::{COMPARED, of_agents};
use crate::parts::coalitions::{COALITION_INPUTS, COALITIONS, shapley_values};
use crate::parts::group::GROUP;
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};

/// `A_i = phi_i`, the Shapley value of agent `i`, on its steps.
///
/// The values of a rollout sum to the reward of all agents less that of none. A rollout of which a reward that
/// the values need is not stored is left out.
pub const SHAPLEY: Recipe = Recipe {
    name: "shapley",
    title: "Shapley values of agents from rewards of coalitions",
    citation: "Shapley 1953; sampled orderings: Castro et al. 2009",
    family: "agents",
    formula: "phi_i = sum over S without i of |S|! (n - |S| - 1)! / n! (v(S + i) - v(S))",
    fidelity: Fidelity::Equations,
    deviations: "",
    inputs: &[&[AGENT_IDS], COALITION_INPUTS],
    parameters: &[COALITIONS, COMPARED, GROUP],
    plan: |parameters| {
        let credit = of_agents(parameters, Credit::new(), signal("agent_shapley_values"))?;
        Ok(Plan { operators: vec![shapley_values(parameters, "agent_ids")?], ..credit.into() })
    },
    ..ADVANTAGE
};
