//! The variance-optimal baseline per token, from the squared norms of the score function.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, Running, TOKEN, group, if_present, index, maximum, members, rank, signal, sum, value, when,
};

use super::reinforce::dense_rewards;
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::divergence::{DIVERGENCE, policy_logprobs};
use crate::parts::norm::trainable_tokens;
use crate::parts::returns::{RETURNS, passing};
use crate::parts::reward::REWARD;
use crate::recipe::{Fidelity, Kind, PPO_CLIP, Recipe};

const SHARED: &[Parameter] = &[
    parameter("eps", "1e-8", "added to the sum of weights"),
    parameter("is_weights", "null", "null, or squared: weights times token_is_weights squared"),
];

const BY_COLUMN: &[Parameter] = &[
    parameter(
        "position",
        "column of the padded row",
        "what positions are compared: column of the padded row, or index among trainable tokens",
    ),
    parameter(
        "handle_zero_tail",
        "false",
        "true: the baseline of the longest rollout is 0 from the position on that equals the second greatest number of trainable tokens",
    ),
];

const BY_TRAINABLE: &[Parameter] = &[
    parameter("position", "index among trainable tokens", BY_COLUMN[0].meaning),
    parameter("handle_zero_tail", "true", BY_COLUMN[1].meaning),
];

/// OTB: `B_t = sum_i G_it W_it / (sum_i W_it + eps)` over the rollouts of the group at position t,
/// with `W_t = sum_{j <= t} (1 - 2 pi_j + sum_v pi_j(v)^2)`; `A = G - B`.
///
/// A group of one keeps its return. Needs `token_sum_pi_squared`.
pub const OPTIMAL_TOKEN_BASELINE: Recipe = Recipe {
    name: "optimal_token_baseline",
    title: "return less the variance-optimal baseline at the token's position",
    citation: "verl compute_optimal_token_baseline_advantage, 2026",
    family: "baselines",
    kind: Kind::Advantage,
    objective: PPO_CLIP,
    formula: "A_t = G_t - sum_i(G_it * W_it) / (sum_i(W_it) + eps)",
    fidelity: Fidelity::Reference,
    deviations: "as verl 2026-01; positions are columns of the padded row",
    inputs: &[],
    parameters: &[SHARED, BY_COLUMN, REWARD, DIVERGENCE, RETURNS],
    plan: |parameters| Ok(plan(parameters)?.into()),
};

/// The same with positions counted over trainable tokens, so that tool output does not shift time.
pub const TIR_OPTIMAL_TOKEN_BASELINE: Recipe = Recipe {
    name: "tir_optimal_token_baseline",
    title: "optimal token baseline for tool-integrated rollouts: positions count trainable tokens",
    formula: "A_t = G_t - sum_i(G_it * W_it) / (sum_i(W_it) + eps), t among trainable tokens",
    fidelity: Fidelity::Reference,
    deviations: "as verl 2026-01; positions are indices among trainable tokens",
    inputs: &[],
    parameters: &[SHARED, BY_TRAINABLE, REWARD, DIVERGENCE, RETURNS],
    ..OPTIMAL_TOKEN_BASELINE
};

fn plan(parameters: &Parameters) -> Result<Credit> {
    let returns = passing(parameters)?.return_to_go(dense_rewards(parameters)?, parameters.number("gamma")?);
    let norm = 1.0 - 2.0 * policy_logprobs().exp() + signal("token_sum_pi_squared");
    let weight = match parameters.text("is_weights")? {
        "" => norm,
        "squared" => norm * signal("token_is_weights").square(),
        _ => return Err(parameters.unknown("is_weights", &["squared"])),
    };
    let alive_position = || index(TOKEN);
    let trainable_position = || value(1.0).spread(TOKEN).scan(Running::Count).exclusive();
    let compacted = match parameters.text("position")? {
        "column of the padded row" => false,
        "index among trainable tokens" => true,
        _ => {
            return Err(
                parameters.unknown("position", &["column of the padded row", "index among trainable tokens"])
            );
        }
    };
    // The running weight is not known after a token whose own is not.
    let counted = weight.clone().scan(Running::Count);
    let unknown = counted.less(value(1.0).spread(TOKEN).scan(Running::Count));
    let position: Expr = if compacted { trainable_position() } else { alive_position() };
    let credit = Credit::new()
        .returns(returns)
        .define("weight", weight.scan(Running::Sum) + value(0.0).null_if(unknown))
        .define("position", position);
    let at = || group().and(signal("position"));
    let weighted = sum(signal("returns") * signal("weight"), at());
    let baseline = weighted / (sum(signal("weight"), at()) + parameters.number("eps")?);
    let baseline = if parameters.boolean("handle_zero_tail")? {
        let longest = rank(trainable_tokens(), group(), false).equals(0.0);
        let second = maximum(trainable_tokens(), group()).of_others();
        when(longest.and(signal("position").at_least(second)).or_else(value(0.0).equals(1.0)), 0.0, baseline)
    } else {
        baseline
    };
    let alone = members(if_present(signal("reward"), signal("iteration")), group()).equals(1.0);
    let credit = credit.define("baseline", when(alone, 0.0, baseline));
    Ok(credit.advantage(signal("returns") - signal("baseline")))
}
