//! REINFORCE++ with a group baseline: group centring, then whitening over the batch.

use meed_operators::credit::{Norm, Scale};

use crate::parameters::Parameter;
use crate::parts::norm::{norm, peers};
use crate::parts::outcome::{OUTCOME, outcome_with};
use crate::parts::whitening::WHITEN_ON;
use crate::recipe::{Fidelity, Kind, PPO_CLIP, Recipe};

const PARAMETERS: &[&[Parameter]] =
    &[OUTCOME[0], OUTCOME[1], OUTCOME[2], OUTCOME[3], OUTCOME[4], &[WHITEN_ON], OUTCOME[6]];

/// REINFORCE++ baseline: `A = whiten(r - mean(r))`, statistics over the trainable tokens of the
/// batch, so that long rollouts weigh more.
pub const REINFORCE_PP_BASELINE: Recipe = Recipe {
    name: "reinforce_pp_baseline",
    title: "group-centred reward, whitened over the trainable tokens of the batch",
    citation: "Hu 2025, REINFORCE++, arXiv 2501.03262",
    family: "baselines",
    kind: Kind::Advantage,
    objective: PPO_CLIP,
    formula: "A = whiten(r - mean(r))",
    fidelity: Fidelity::Reference,
    deviations: "a singleton gets a centred reward of 0, where verl keeps the raw reward (singleton=raw); scale=batch_std_of_centred is rLLM's form",
    inputs: &[],
    parameters: PARAMETERS,
    plan: |parameters| {
        let mut norm = norm(parameters, peers(parameters)?)?;
        if !matches!(norm.scale, Scale::StdOfCentered(_)) {
            norm = Norm { scale: Scale::None, ..norm };
        }
        Ok(outcome_with(parameters, norm)?.into())
    },
};
