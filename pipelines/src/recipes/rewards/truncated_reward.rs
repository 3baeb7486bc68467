//! Rewards of truncated rollouts, scaled down.

use meed_operators::credit::{Credit, if_present, signal, text, when};

use crate::parameters::{Parameter, parameter};
use crate::recipe::{Fidelity, Kind, PPO_CLIP, Recipe};

const PARAMETERS: &[Parameter] = &[parameter("factor", "0.0", "factor of the reward of a truncated rollout")];

/// `factor * r` where the rollout was truncated, else `r`.
pub const TRUNCATED_REWARD: Recipe = Recipe {
    name: "truncated_reward",
    title: "rewards of truncated rollouts are multiplied by a factor",
    citation: "NeMo-RL reward shaping",
    family: "rewards",
    kind: Kind::Reward,
    objective: PPO_CLIP,
    formula: "r * (truncated ? factor : 1)",
    fidelity: Fidelity::Reference,
    deviations: "as NeMo-RL",
    inputs: &[],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let truncated =
            if_present(signal("truncated").equals(1.0), signal("status").equals(text("truncated")));
        let factor = parameters.number("factor")?;
        Ok(Credit::new().define("rewards", signal("reward") * when(truncated, factor, 1.0)).into())
    },
};
