//! Group relative policy optimisation: `A = (r - mean(r)) / (std(r) + eps)` in each group.

use crate::parts::outcome::{OUTCOME, outcome};
use crate::recipe::{Fidelity, Kind, PPO_CLIP, Recipe};

/// GRPO. Every convention of its statistics is a parameter; `preset` names a system's.
///
/// A group of one gets 0 by default, where verl keeps the raw reward (`preset=verl`).
pub const GRPO: Recipe = Recipe {
    name: "grpo",
    title: "group relative advantage: reward minus the group's mean, over its deviation",
    citation: "Shao et al. 2024, DeepSeekMath, arXiv 2402.03300",
    family: "baselines",
    kind: Kind::Advantage,
    objective: PPO_CLIP,
    formula: "A = (r - mean(r)) / (std(r) + eps)",
    fidelity: Fidelity::Reference,
    deviations: "equal to each system under its preset; a singleton gets 0 unless the preset says otherwise",
    inputs: &[],
    parameters: OUTCOME,
    plan: |parameters| Ok(outcome(parameters)?.into()),
};
