//! ReMax: return to go minus the reward of a greedy rollout.

use meed_operators::credit::{Credit, signal};

use super::reinforce::dense_rewards;
use crate::parts::divergence::DIVERGENCE;
use crate::parts::returns::{RETURNS, passing};
use crate::parts::reward::REWARD;
use crate::recipe::{Fidelity, Kind, PPO_CLIP, Recipe};

/// ReMax: `A_t = sum_{k >= t} r_k - r_greedy`, with the column `reward_baseline`.
pub const REMAX: Recipe = Recipe {
    name: "remax",
    title: "return to go minus the reward of the greedy rollout",
    citation: "Li et al. 2023, ReMax, arXiv 2310.10505",
    family: "baselines",
    kind: Kind::Advantage,
    objective: PPO_CLIP,
    formula: "A_t = sum_k gamma^k r_{t+k} - r_greedy",
    fidelity: Fidelity::Reference,
    deviations: "as verl",
    inputs: &[],
    parameters: &[REWARD, DIVERGENCE, RETURNS],
    plan: |parameters| {
        let returns =
            passing(parameters)?.return_to_go(dense_rewards(parameters)?, parameters.number("gamma")?);
        Ok(Credit::new().returns(returns).advantage(signal("returns") - signal("reward_baseline")).into())
    },
};
