//! Credit of agents, brought to the steps in which they act.

use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, fetch, group, normalize, signal};

use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::group_norm_by;

/// What the credit of an agent is compared with.
pub const COMPARED: &[Parameter] = &[parameter(
    "compared",
    "none",
    "none: an agent's credit is its advantage; agent: it is normalised among the same agent's credits in the group",
)];

/// Of each step, the value of the agent that acts in it.
pub fn of_acting_agent(x: Expr) -> Expr {
    fetch(x, signal("agent_ids"), signal("step_agents"))
}

/// Values of agents, normalised among those of the same agent in the group.
pub fn among_own(parameters: &Parameters, x: Expr) -> Result<Expr> {
    Ok(normalize(x, &group_norm_by(parameters, group().and(signal("agent_ids")))?))
}

/// The advantage of each step from the credit of each agent, by [`COMPARED`] and the parameters of a group
/// advantage; `agent_credit` is kept.
pub fn of_agents(parameters: &Parameters, credit: Credit, x: Expr) -> Result<Credit> {
    let credit = credit.define("agent_credit", x);
    let compared = match parameters.text("compared")? {
        "none" => signal("agent_credit"),
        "agent" => among_own(parameters, signal("agent_credit"))?,
        _ => return Err(parameters.unknown("compared", &["none", "agent"])),
    };
    Ok(credit.advantage(of_acting_agent(compared)))
}
