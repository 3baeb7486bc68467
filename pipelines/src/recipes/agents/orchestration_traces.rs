//! Orchestration traces: rewards by channel, credited to one of eight units, from the team down to the token.

use std::sync::Arc;

use meed_operators::Result;
use meed_operators::credit::{
    By, Credit, Expr, Level, Members, ROLLOUT, Reduction, STEP, TOKEN, TURN, all, fetch, group, index, kind,
    rollout, signal, sum, trainable, when,
};
use meed_operators::signals::TraceUnits;

use super::inputs::STEP_ROLES;
use crate::inputs::{Input, Of, input, items};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::GROUP;
use crate::parts::units::among_units;
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};

const TRACE: &str = "an import of orchestration traces";

const INPUTS: &[Input] = &[
    input("reward_team", Of::Number, "reward of the whole team", TRACE),
    input(
        "reward_orchestration",
        Of::Number,
        "reward of how agents were spawned and tasks handed out",
        TRACE,
    ),
    input("reward_tool", Of::Number, "reward of the use of tools", TRACE),
    input("step_rewards_individual", Of::Number, "reward of the agent that acts in the event", TRACE),
    input("step_rewards_role", Of::Number, "reward of the event by what its role is for", TRACE),
    input("step_rewards_tool", Of::Number, "reward of a tool call", TRACE),
    input("step_rewards_verifier", Of::Number, "what a debate or verifier says of the event", TRACE),
    input("step_ids", Of::Text, "ids of the events, each once in its trace", TRACE),
    items("edge_sources", Of::Text, "event from which an edge leads", TRACE),
    items("edge_targets", Of::Text, "event to which an edge leads", TRACE),
    items(
        "edge_types",
        Of::Text,
        "temporal, causal, spawn, message, tool_dependency, return, aggregate or safety_flow",
        TRACE,
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "family",
        "R1",
        "which rewards: R1 shared team, R2 individual, R3 role, R4 process, R5 tool use, R6 debate or verifier, R7 orchestration, R8 hybrid (channels and weights)",
    ),
    parameter(
        "channels",
        r#"["reward_team", "reward_orchestration", "reward_tool"]"#,
        "columns that R8 sums: of rollouts, or of steps (step_...), where an event without one adds nothing",
    ),
    parameter("weights", "[1, 0.5, 0.5]", "weight of each channel of R8; negative for a cost"),
    parameter(
        "unit",
        "agent",
        "what is credited: team, agent, role, orchestrator, turn, message, tool_call, token; or cause (each event, for all that follows from it along edges)",
    ),
    parameter("edge_types", r#"["causal"]"#, "edges that cause follows; null: all"),
    parameter(
        "costs",
        "null",
        "columns with costs of a trace, which must not be negative, checked with cause",
    ),
];

const UNITS: &[&str] =
    &["team", "agent", "role", "orchestrator", "turn", "message", "tool_call", "token", "cause"];

/// Kinds of events in which an orchestrator decides: spawn, delegate, communicate, aggregate, stop.
const ORCHESTRATES: &[&str] = &["orchestrator_decision", "spawn", "despawn", "aggregate"];

/// Credit of a trace: the reward of a unit is the rollout's channels plus those of its events, and its advantage
/// that reward normalised among the units of its kind in the group: the same agent's, role's or turn's, all
/// messages, tool calls, tokens or events.
///
/// Events are steps: `step_kinds` are their types, with results of tools as `observation`. An advantage lands
/// on the events of its unit; those of no unit get 0. An agent of several events counts once per rollout.
pub const ORCHESTRATION_TRACES: Recipe = Recipe {
    name: "orchestration_traces",
    title: "rewards by channel credited to team, agent, role, orchestrator, turn, message, tool call or token",
    citation: "Reinforcement Learning for LLM-based Multi-Agent Systems through Orchestration Traces; xxzcc/awesome-llm-mas-rl",
    family: "agents",
    formula: "A_u = normalize(sum_c w_c r_c(u), by(group, kind of unit))",
    fidelity: Fidelity::Reconstructed,
    deviations: "the survey gives a schema of traces, units and families of rewards, but no algorithm; guessed: the group normalisation, what a unit is compared with, and that rewards of the team land on every unit",
    inputs: &[INPUTS, &[STEP_ROLES]],
    parameters: &[PARAMETERS, GROUP],
    plan,
    ..ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let unit = Unit::new(parameters)?;
    let mut rewards: Option<Expr> = None;
    for (channel, weight) in channels(parameters)? {
        let part = match channel.starts_with("step_") {
            true => unit.sum(signal(channel).or_else(0.0)),
            false => signal(channel),
        };
        let part = weight * part;
        rewards = Some(rewards.map_or(part.clone(), |sum| sum + part));
    }
    let rewards = rewards.ok_or_else(|| parameters.unknown("channels", &["one column or more"]))?;
    let name = format!("{}_unit_rewards", unit.level);
    let credit = Credit::new().define(&name, rewards.spread(unit.level.clone()));
    let (among, who) = (unit.among.clone(), unit.who());
    let relative = among_units(parameters, signal(&name), unit.within.clone(), among, who)?;
    let mut plan = Plan::from(credit.advantage(match unit.kinds {
        None => relative,
        Some(kinds) => when(kind(STEP, kinds), relative, 0.0),
    }));
    if unit.follows {
        let (edge_types, costs) = (parameters.texts("edge_types")?, parameters.texts("costs")?);
        plan.operators.push(Arc::new(TraceUnits { edge_types, costs }));
    }
    Ok(plan)
}

/// The columns of a family of rewards, with their weights.
fn channels(parameters: &Parameters) -> Result<Vec<(String, f64)>> {
    let column = match parameters.text("family")? {
        "R1" => "reward_team",
        "R2" => "step_rewards_individual",
        "R3" => "step_rewards_role",
        "R4" => "step_rewards",
        "R5" => "step_rewards_tool",
        "R6" => "step_rewards_verifier",
        "R7" => "reward_orchestration",
        "R8" => {
            let columns = parameters.texts("channels")?;
            let weights = parameters.numbers("weights")?.unwrap_or_else(|| vec![1.0; columns.len()]);
            if weights.len() != columns.len() {
                return Err(parameters.unknown("weights", &["one number per channel"]));
            }
            return Ok(columns.into_iter().zip(weights).collect());
        }
        _ => return Err(parameters.unknown("family", &["R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8"])),
    };
    Ok(vec![(column.to_owned(), 1.0)])
}

/// What is credited.
struct Unit {
    /// Where its rewards live.
    level: Level,
    /// Events that are one unit.
    within: By,
    /// Units that are compared.
    among: By,
    /// The kinds of its events; any where `None`.
    kinds: Option<&'static [&'static str]>,
    /// Whether an event stands for all that follow from it.
    follows: bool,
}

impl Unit {
    fn new(parameters: &Parameters) -> Result<Self> {
        let keyed = |key: Expr| (rollout().and(key.clone()), group().and(key));
        let each = |level: Level| (rollout().and(index(level)), group());
        let whole = || (rollout(), group());
        let unit = parameters.text("unit")?;
        let (within, among) = match unit {
            "team" | "orchestrator" => whole(),
            "agent" => keyed(signal("step_agents")),
            "role" => keyed(signal("step_roles")),
            "turn" => keyed(index(TURN)),
            "message" | "tool_call" | "cause" => each(STEP),
            "token" => each(TOKEN),
            _ => return Err(parameters.unknown("unit", UNITS)),
        };
        let level = match unit {
            "team" => ROLLOUT,
            "token" => TOKEN,
            _ => STEP,
        };
        let kinds: Option<&[&str]> = match unit {
            "orchestrator" => Some(ORCHESTRATES),
            "message" => Some(&["message"]),
            "tool_call" => Some(&["tool_call"]),
            _ => None,
        };
        Ok(Unit { level, within, among, kinds, follows: unit == "cause" })
    }

    /// The events that may be of a unit.
    fn who(&self) -> Members {
        self.kinds.map_or(trainable(), |kinds| trainable().only(kind(STEP, kinds)))
    }

    /// What the events of each unit sum up to. A token has what its event has.
    fn sum(&self, of_events: Expr) -> Expr {
        if self.follows {
            let following = fetch(of_events, index(STEP), signal("step_descendant_positions"));
            return following.reduce(STEP, Reduction::Sum).over(all());
        }
        if self.level == TOKEN { of_events } else { sum(of_events, self.within.clone()).over(self.who()) }
    }
}
