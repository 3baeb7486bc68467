//! Several rewards: each is normalised in its group, then they are summed and whitened.

use meed_operators::credit::{Credit, normalize, signal, value};

use crate::parameters::{Parameter, parameter};
use crate::parts::norm::{NORM, PRESET, norm, peers};
use crate::parts::reward::weights;
use crate::parts::whitening::{WHITENING, whitened};
use crate::recipe::{Fidelity, Kind, PPO_CLIP, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("reward_columns", "[\"reward\"]", "the reward columns"),
    parameter("weights", "null", "their weights; 1 each by default"),
    parameter(
        "whiten",
        "batch_tokens",
        "whitening of the sum: batch_tokens (verl), batch_rows (TRL, NeMo-RL) or none",
    ),
];

/// GDPO: `A = whiten(sum_k w_k * normalize(r_k))`; null rewards are left out of their own column's
/// statistics and of the sum.
pub const GDPO: Recipe = Recipe {
    name: "gdpo",
    title: "rewards normalised one by one in their group, summed, whitened",
    citation: "Liu et al. 2026, GDPO, arXiv 2601.05242",
    family: "baselines",
    kind: Kind::Advantage,
    objective: PPO_CLIP,
    formula: "A = whiten(sum_k w_k * (r_k - mean(r_k)) / (std(r_k) + eps))",
    fidelity: Fidelity::Reference,
    deviations: "as verl, TRL and NeMo-RL by parameters",
    inputs: &[],
    parameters: &[PARAMETERS, PRESET, NORM, WHITENING],
    plan: |parameters| {
        let columns = parameters.texts("reward_columns")?;
        let weights = weights(parameters, columns.len())?;
        let norm = norm(parameters, peers(parameters)?)?;
        let mut total = value(0.0);
        let mut missing = value(1.0).equals(1.0);
        for (column, weight) in columns.iter().zip(weights) {
            total = total + (normalize(signal(column), &norm) * weight).or_else(0.0);
            missing = missing.and(signal(column).is_null());
        }
        let credit = Credit::new().define("combined", total.null_if(missing));
        Ok(credit.advantage(whitened(parameters, signal("combined"))?).into())
    },
};
