//! Group policy gradient: centred rewards, scaled up for the groups without signal.

use meed_operators::credit::{Credit, batch, members, normalize, signal, trainable};

use crate::parameters::{Parameter, parameter};
use crate::parts::norm::{NORM, PRESET, norm, peers};
use crate::parts::reward::{REWARD, in_baseline, reward};
use crate::recipe::{Fidelity, Kind, Recipe};

const PARAMETERS: &[Parameter] = &[parameter(
    "multiplier",
    "batch_size/nonzero_scores",
    "rollouts of the batch over those with a reward other than 0, at least 1; or none",
)];

/// GPG: `A = alpha * (r - mean(r))`, `alpha = rollouts / max(rollouts with r != 0, 1)` in the batch.
pub const GPG: Recipe = Recipe {
    name: "gpg",
    title: "centred reward, times the inverse share of rewarded rollouts in the batch",
    citation: "Chu et al. 2025, GPG, arXiv 2504.02546; verl compute_gpg_outcome_advantage",
    family: "baselines",
    kind: Kind::Advantage,
    objective: ("gpg", &[]),
    formula: "A = (n / max(count(r != 0), 1)) * (r - mean(r))",
    fidelity: Fidelity::Reference,
    deviations: "f_norm is 1 as in verl; a singleton gets 0, where verl keeps alpha * r (singleton=raw)",
    inputs: &[],
    parameters: &[PARAMETERS, PRESET, NORM, REWARD],
    plan: |parameters| {
        let score = || signal("score");
        let mut norm = norm(parameters, peers(parameters)?)?;
        norm.scale = meed_operators::credit::Scale::None;
        let alpha = match parameters.text("multiplier")? {
            "batch_size/nonzero_scores" => {
                let nonzero = members(score(), batch()).over(trainable().only(score().differs(0.0)));
                members(score(), batch()) / nonzero.max(1.0)
            }
            "none" => 1.0.into(),
            _ => {
                return Err(parameters.unknown("multiplier", &["batch_size/nonzero_scores", "none"]));
            }
        };
        let mut credit = Credit::new();
        if let Some(members) = in_baseline(parameters)? {
            credit = credit.in_baseline(members);
        }
        let credit = credit.define("score", reward(parameters, None)?).define("alpha", alpha);
        Ok(credit.advantage(signal("alpha") * normalize(score(), &norm)).into())
    },
};
