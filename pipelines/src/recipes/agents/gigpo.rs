//! Group-in-group policy optimisation: episodes compared in their group, steps among equal states.

use std::sync::Arc;

use meed_operators::Result;
use meed_operators::credit::{
    By, Center, Credit, Expr, Norm, ROLLOUT, Reduction, STEP, Scale, Singleton, group, if_present, mean,
    members, normalize, policy, return_to_go, signal, std, value, when,
};
use meed_operators::signals::StateGroups;

use crate::parameters::{Parameter, Parameters, parameter};
use crate::recipe::{Fidelity, Kind, PPO_CLIP, Plan, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter(
        "mode",
        "mean_norm",
        "mean_norm: centre only; mean_std_norm: divide by the sample deviation too",
    ),
    parameter("gamma", "0.95", "discount per policy step"),
    parameter("step_weight", "1.0", "weight of the step part"),
    parameter("episode_weight", "1.0", "weight of the episode part"),
    parameter("eps", "1e-6", "added to the deviation"),
    parameter(
        "episode_statistics",
        "trajectories",
        "what an episode statistic counts: trajectories (the paper's Eq. 3), or step_rows (the released code: long trajectories weigh more)",
    ),
    parameter(
        "invalid_action_penalty",
        "0.0",
        "taken off the score and the return of a step whose step_action_valid is false",
    ),
    parameter("similarity", "false", "true: states are clustered by text similarity"),
    parameter("similarity_threshold", "0.95", "least similarity to a cluster's first state"),
    parameter("state_history", "0", "how many earlier policy steps must agree too for states to be equal"),
];

/// GiGPO: `A = normalize(episode) + w * normalize(return | state)`.
///
/// The discount counts policy steps only: with environment steps most step advantages would be
/// wrong. A state seen once gets 0; a group with one episode keeps its score, as in the reference.
pub const GIGPO: Recipe = Recipe {
    name: "gigpo",
    title: "episode advantage in the group plus step advantage among equal states",
    citation: "Feng et al. 2025, GiGPO, arXiv 2505.10978, Eq. 3 and 5 to 8",
    family: "agents",
    kind: Kind::Advantage,
    objective: PPO_CLIP,
    formula: "A = normalize(sum(r), by(group)) + w * normalize(return(r, gamma), by(group, state))",
    fidelity: Fidelity::Reference,
    deviations: "episode_statistics is trajectories as in the paper; step_rows gives the released code; states never match across groups",
    inputs: &[],
    parameters: &[PARAMETERS],
    plan,
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let scaled = match parameters.text("mode")? {
        "mean_norm" => false,
        "mean_std_norm" => true,
        _ => return Err(parameters.unknown("mode", &["mean_norm", "mean_std_norm"])),
    };
    let eps = parameters.number("eps")?;
    let penalty = parameters.number("invalid_action_penalty")?;
    let penalised = |x: Expr| {
        if penalty == 0.0 {
            return x;
        }
        let invalid = signal("step_action_valid").equals(0.0);
        x - when(if_present(invalid, value(1.0).equals(0.0)), penalty, 0.0).or_else(0.0)
    };
    let norm = |by: By, singleton: Singleton| Norm {
        center: Center::Mean(by.clone()),
        scale: if scaled { Scale::Std(by) } else { Scale::None },
        singleton,
        ..Norm::group_std(eps)
    };
    let only = if scaled { Singleton::RawOverOnePlusEps } else { Singleton::Raw };
    let rewarded = || signal("step_rewards");
    let episode = rewarded().reduce(ROLLOUT, Reduction::Sum);
    let credit = Credit::new().define("episode", episode);
    let row = penalised(signal("episode").spread(STEP));
    let row = row.null_if(policy(STEP).negated());
    let episode_part = match parameters.text("episode_statistics")? {
        "step_rows" => normalize(row, &norm(group(), only)),
        "trajectories" => {
            let alone = members(signal("episode"), group()).equals(1.0);
            let center = when(alone.clone(), 0.0, mean(signal("episode"), group()));
            let scale = when(alone, 1.0, std(signal("episode"), group(), 1).or_else(1.0));
            let norm = Norm {
                center: Center::Given(center),
                scale: if scaled { Scale::Given(scale) } else { Scale::None },
                singleton: Singleton::Formula,
                ..Norm::group_std(eps)
            };
            normalize(row, &norm)
        }
        _ => return Err(parameters.unknown("episode_statistics", &["step_rows", "trajectories"])),
    };
    let similar = parameters.boolean("similarity")?;
    let history = usize::from(parameters.small("state_history")?);
    let clustered = similar || history > 0;
    let state = if clustered { signal("step_state_groups") } else { signal("step_states") };
    let credit = credit
        .define("step_returns", penalised(return_to_go(rewarded(), parameters.number("gamma")?)))
        .define("step_episode_advantages", episode_part);
    let state_part = normalize(signal("step_returns"), &norm(group().and(state), Singleton::Zero));
    let credit = credit.define("step_state_advantages", state_part);
    let advantage = parameters.number("episode_weight")? * signal("step_episode_advantages")
        + parameters.number("step_weight")? * signal("step_state_advantages");
    let mut plan = Plan::from(credit.advantage(advantage));
    if clustered {
        let similarity = if similar { parameters.number("similarity_threshold")? } else { 1.0 };
        plan.operators.push(Arc::new(StateGroups { similarity, history }));
    }
    Ok(plan)
}
