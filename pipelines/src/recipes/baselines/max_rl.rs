//! Maximum-likelihood reinforcement learning: centred rewards over the group's mean.

use meed_operators::credit::{Credit, Scale, mean, signal, when};

use crate::parameters::{Parameter, parameter};
use crate::parts::norm::{norm, peers};
use crate::parts::outcome::{OUTCOME, outcome_with};
use crate::recipe::{Fidelity, Kind, PPO_CLIP, Recipe};

const ZERO_MEAN: &[Parameter] = &[parameter(
    "zero_mean",
    "zero advantages when the group mean <= 0",
    "what a group whose mean is not positive gets: 0, or null: the quotient by mean + eps",
)];

const PARAMETERS: &[&[Parameter]] =
    &[ZERO_MEAN, OUTCOME[0], OUTCOME[1], OUTCOME[2], OUTCOME[3], OUTCOME[4], OUTCOME[5], OUTCOME[6]];

/// MaxRL: `A = (r - mean(r)) / mean(r)`, 0 where the mean is not positive.
///
/// The prime-rl convention divides by the mean itself, SkyRL by `mean + 1e-6` (`zero_mean=null`,
/// `eps=1e-6`), which flips signs for negative means.
pub const MAX_RL: Recipe = Recipe {
    name: "max_rl",
    title: "centred reward over the group's mean reward",
    citation: "Tajwar et al. 2026, Maximum Likelihood Reinforcement Learning",
    family: "baselines",
    kind: Kind::Advantage,
    objective: PPO_CLIP,
    formula: "A = (r - mean(r)) / mean(r)",
    fidelity: Fidelity::Reference,
    deviations: "eps is 0 and non-positive means give 0, as in prime-rl; SkyRL's rule by parameters",
    inputs: &[],
    parameters: PARAMETERS,
    plan: |parameters| {
        let by = peers(parameters)?;
        let guard = !parameters.is_null("zero_mean");
        let mut norm = norm(parameters, by.clone())?;
        norm.scale = Scale::Mean(by.clone());
        if guard {
            let score = mean(signal("score"), by);
            norm.scale = Scale::Given(when(score.clone().greater(0.0), score, f64::INFINITY));
            norm.eps = 0.0;
        }
        let credit: Credit = outcome_with(parameters, norm)?;
        Ok(credit.into())
    },
};
