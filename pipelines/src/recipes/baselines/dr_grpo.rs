//! Dr. GRPO: group centring without division by the deviation.

use meed_operators::credit::{Norm, Scale};

use crate::parts::norm::{norm, peers};
use crate::parts::outcome::{OUTCOME, outcome_with};
use crate::recipe::{Fidelity, Kind, Recipe};

/// Dr. GRPO: `A = r - mean(r)`.
pub const DR_GRPO: Recipe = Recipe {
    name: "dr_grpo",
    title: "reward minus the group's mean",
    citation: "Liu et al. 2025, Understanding R1-Zero-Like Training, arXiv 2503.20783",
    family: "baselines",
    kind: Kind::Advantage,
    objective: ("dr_grpo", &[]),
    formula: "A = r - mean(r)",
    fidelity: Fidelity::Reference,
    deviations: "a singleton gets 0, where verl keeps the raw reward (singleton=raw)",
    inputs: &[],
    parameters: OUTCOME,
    plan: |parameters| {
        let norm = norm(parameters, peers(parameters)?)?;
        Ok(outcome_with(parameters, Norm { scale: Scale::None, ..norm })?.into())
    },
};
