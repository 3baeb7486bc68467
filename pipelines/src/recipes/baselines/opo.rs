//! On-policy optimisation with the length-weighted optimal baseline.

use meed_operators::credit::{Center, Norm, Scale};

use crate::parts::norm::{norm, peers, trainable_tokens};
use crate::parts::outcome::{OUTCOME, outcome_with};
use crate::recipe::{Fidelity, Kind, PPO_CLIP, Recipe};

/// OPO: `A = r - sum(length * r) / sum(length)`, lengths in trainable tokens.
pub const OPO: Recipe = Recipe {
    name: "opo",
    title: "reward minus the length-weighted mean of the group",
    citation: "Hao et al. 2025, On-Policy RL with Optimal Reward Baseline, arXiv 2505.23585",
    family: "baselines",
    kind: Kind::Advantage,
    objective: PPO_CLIP,
    formula: "A = r - sum(len * r) / sum(len)",
    fidelity: Fidelity::Reference,
    deviations: "a singleton gets 0, where verl keeps the raw reward (singleton=raw)",
    inputs: &[],
    parameters: OUTCOME,
    plan: |parameters| {
        let by = peers(parameters)?;
        let norm = norm(parameters, by.clone())?;
        let norm = Norm { center: Center::Weighted(by, trainable_tokens()), scale: Scale::None, ..norm };
        Ok(outcome_with(parameters, norm)?.into())
    },
};
