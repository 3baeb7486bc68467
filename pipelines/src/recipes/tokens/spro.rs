//! SPRO: the implicit reward so far, against the rollouts that are alive at the same position.

use meed_operators::credit::{Running, TOKEN, group, index, mean, signal};

use crate::parameters::{Parameter, parameter};
use crate::parts::divergence::log_ratio;
use crate::parts::group::{GROUP, group_advantage};
use crate::parts::steps::judged;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[parameter("beta", "0.05", "coefficient of the log-ratio")];

/// SPRO: `A_t = R_t - mean(R_t of the group's rollouts with a token t) + GRPO advantage`, with
/// `R_t = sum_{j <= t} beta (log pi - log pi_ref)`.
///
/// A rollout that is the only one alive at a position gets 0 there beside its outcome.
pub const SPRO: Recipe = Recipe {
    name: "spro",
    title: "cumulative implicit reward less its mean at the same position, plus the group advantage",
    citation: "SPRO, arXiv 2507.01551",
    family: "tokens",
    formula: "A_t = R_t - mean(R_t, by(group, t)) + normalize(r, by(group)), R_t = sum_{j <= t} beta log(pi / pi_ref)",
    fidelity: Fidelity::Equations,
    deviations: "beta is about 0.05 in the notes",
    inputs: &[],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let reward = parameters.number("beta")? * log_ratio();
        let so_far = || signal("token_cumulative_rewards");
        let masked_step = so_far() - mean(so_far(), group().and(index(TOKEN)));
        Ok(judged([log_ratio()])
            .define("token_cumulative_rewards", reward.scan(Running::Sum))
            .define("token_masked_step_advantages", masked_step)
            .define("outcome_advantage", group_advantage(parameters, signal("reward"))?)
            .advantage(signal("token_masked_step_advantages") + signal("outcome_advantage"))
            .into())
    },
    ..ADVANTAGE
};
