//! REINFORCE with a leave-one-out baseline.

use meed_operators::credit::{Center, Norm, Scale};

use crate::parts::norm::{norm, peers};
use crate::parts::outcome::{OUTCOME, outcome_with};
use crate::recipe::{Fidelity, Kind, PPO_CLIP, Recipe};

/// RLOO: `A_i = r_i - mean_{j != i}(r_j)`, which is `n / (n - 1) * (r_i - mean(r))`.
pub const RLOO: Recipe = Recipe {
    name: "rloo",
    title: "reward minus the mean of the other rollouts of the group",
    citation: "Ahmadian et al. 2024, Back to Basics, arXiv 2402.14740; Kool et al. 2019",
    family: "baselines",
    kind: Kind::Advantage,
    objective: PPO_CLIP,
    formula: "A_i = r_i - mean(r_j, j != i)",
    fidelity: Fidelity::Reference,
    deviations: "a singleton gets 0, where verl and rLLM keep the raw reward (singleton=raw)",
    inputs: &[],
    parameters: OUTCOME,
    plan: |parameters| {
        let by = peers(parameters)?;
        let norm = norm(parameters, by.clone())?;
        let norm = Norm { center: Center::LeaveOneOut(by), scale: Scale::None, ..norm };
        Ok(outcome_with(parameters, norm)?.into())
    },
};
