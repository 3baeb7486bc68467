//! REINFORCE++: returns to go, whitened over the trainable tokens of the batch.

use super::reinforce::dense;
use crate::parameters::{Parameter, parameter};
use crate::parts::divergence::DIVERGENCE;
use crate::parts::norm::PRESET;
use crate::parts::returns::RETURNS;
use crate::parts::reward::REWARD;
use crate::parts::whitening::{WHITEN_ON, WHITENING};
use crate::recipe::{Fidelity, Kind, PPO_CLIP, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter(
        "whiten_rewards",
        "none",
        "none, or batch_tokens: token rewards are whitened over the batch first",
    ),
    parameter("advantage_clip", "null", "advantages are clipped to plus and minus this"),
    parameter("segment", "null", "null, or: discount once per maximal run of trainable tokens"),
    parameter("segment_reward", "null", "which reward a segment has: that of its last token"),
];

/// REINFORCE++: `A = whiten(sum_k gamma^k r_{t+k})`.
pub const REINFORCE_PP: Recipe = Recipe {
    name: "reinforce_pp",
    title: "discounted token returns, whitened over the batch",
    citation: "Hu 2025, REINFORCE++, arXiv 2501.03262",
    family: "baselines",
    kind: Kind::Advantage,
    objective: PPO_CLIP,
    formula: "A = whiten(sum_k gamma^k r_{t+k})",
    fidelity: Fidelity::Reference,
    deviations: "observation tokens are carried over (verl since 2026-08); masked_tokens=reset gives the older behaviour, which loses rewards behind observations",
    inputs: &[],
    parameters: &[PRESET, PARAMETERS, REWARD, DIVERGENCE, RETURNS, &[WHITEN_ON], WHITENING],
    plan: |parameters| Ok(dense(parameters)?.into()),
};
