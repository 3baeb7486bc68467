//! A linear map of rewards from one range to another.

use meed_operators::credit::{Credit, signal};

use crate::parameters::{Parameter, parameter};
use crate::recipe::{Fidelity, Kind, PPO_CLIP, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("source", "[0, 1]", "[low, high] of the rewards; values outside are clipped"),
    parameter("target", "[0, 1]", "[low, high] that they are mapped to"),
];

/// `target_low + (clip(r) - source_low) / (source_high - source_low) * (target_high - target_low)`.
pub const LINEAR_REWARD: Recipe = Recipe {
    name: "linear_reward",
    title: "reward clipped to a range and mapped to another",
    citation: "NeMo-RL reward scaling",
    family: "rewards",
    kind: Kind::Reward,
    objective: PPO_CLIP,
    formula: "t0 + (clip(r, s0, s1) - s0) / (s1 - s0) * (t1 - t0)",
    fidelity: Fidelity::Reference,
    deviations: "as NeMo-RL",
    inputs: &[],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let range = |name: &str| match parameters.numbers(name)?.as_deref() {
            Some([low, high]) if low < high => Ok((*low, *high)),
            _ => Err(parameters.unknown(name, &["[low, high] with low < high"])),
        };
        let ((low, high), (to_low, to_high)) = (range("source")?, range("target")?);
        let share = (signal("reward").clamp(low, high) - low) / (high - low);
        Ok(Credit::new().define("rewards", share * (to_high - to_low) + to_low).into())
    },
};
