//! M-GRPO: main agent and sub-agents in groups of their own, with the same number of sub-agent calls each.

use meed_operators::credit::{
    Center, Credit, Norm, Scale, Statistic, aggregate, group, members, normalize, rank, signal, text, when,
};

use crate::parameters::{Parameter, parameter};
use crate::parts::group::{GROUP, group_norm_by};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter(
        "main_agent",
        "main",
        "the agent whose rows are not aligned; rows of all others are calls of sub-agents",
    ),
    parameter(
        "calls",
        "4",
        "calls of an agent per episode: where there are more, the last ones are dropped; where there are fewer, they count several times",
    ),
];

/// M-GRPO: `A = (r - mean(r)) / (std(r) + eps)` among the rows of the same agent in the group, where each
/// episode has `calls` calls of every sub-agent: dropped ones count 0 times, repeated ones several times, in the
/// statistics as in the loss.
///
/// A row is one agent's part of an episode: the main agent's, or one call of a sub-agent. `reward` is its own:
/// outcome and format, for sub-agents with the outcome of the episode in it.
pub const M_GRPO: Recipe = Recipe {
    name: "m_grpo",
    title: "group-relative advantages of main agent and sub-agents, with aligned numbers of calls",
    citation: "M-GRPO, arXiv 2511.13288; AQ-MedAI/MrlX",
    family: "agents",
    formula: "A = normalize(r, by(group, agent)) weighted by how often a call is repeated",
    fidelity: Fidelity::Reconstructed,
    deviations: "read from the abstract: which calls are dropped or repeated (the last, and the first), the number of calls and the deviation are guesses; rewards of both kinds are given, not put together here",
    inputs: &[],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let calls = parameters.number("calls")?;
        let by_agent = || group().and(signal("agent"));
        let of_episode = || by_agent().and(signal("episode_id"));
        let (reward, number) = (|| signal("reward"), || signal("calls"));
        let even = (calls / number()).floor();
        let more = rank(0.0 * reward(), of_episode(), true).less(calls - even.clone() * number());
        let is_main = signal("agent").equals(text(parameters.text("main_agent")?));
        let norm = group_norm_by(parameters, by_agent())?;
        let variance = aggregate(Statistic::Variance { ddof: norm.ddof }, reward(), by_agent());
        let scale = match norm.scale {
            Scale::None => Scale::None,
            _ => Scale::Given(variance.weighted(signal("copies")).sqrt().or_else(0.0)),
        };
        let norm = Norm { center: Center::Weighted(by_agent(), signal("copies")), scale, ..norm };
        let credit = Credit::new()
            .define("calls", members(reward(), of_episode()))
            .define("copies", when(is_main, 1.0, even + when(more, 1.0, 0.0)))
            .weights(signal("copies"));
        Ok(credit.advantage(normalize(reward(), &norm)).into())
    },
    ..ADVANTAGE
};
