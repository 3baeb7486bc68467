//! Pass@k training: only the best rollout of a group is credited, with its lead over the second.

use meed_operators::credit::{Credit, group, members, rank, signal, std, sum, trainable, when};

use crate::parameters::{Parameter, parameter};
use crate::parts::reward::{REWARD, in_baseline, reward};
use crate::recipe::{Fidelity, Kind, PPO_CLIP, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("center", "second_best", "what is subtracted from the best reward"),
    parameter("scale", "group_std", "group_std or none"),
    parameter("ddof", "1", "delta degrees of freedom of the deviation"),
    parameter("eps", "1e-6", "added to the deviation"),
    parameter("ties", "first", "which of several best rollouts is credited: the first in canonical order"),
];

/// Pass@k: `A = (r_max - r_second) / (std + eps)` for the best rollout, 0 for the others.
///
/// A group of one has no second best: its rollout gets 0 (the reference raises an error).
pub const GRPO_PASSK: Recipe = Recipe {
    name: "grpo_passk",
    title: "only the best rollout of the group is credited, with its lead over the second best",
    citation: "Tang et al. 2025, arXiv 2503.19595; verl compute_grpo_passk_outcome_advantage",
    family: "baselines",
    kind: Kind::Advantage,
    objective: PPO_CLIP,
    formula: "A = (r_max - r_second) / (std(r) + eps) for the best rollout, else 0",
    fidelity: Fidelity::Reference,
    deviations: "ties go to the first rollout in canonical order; a singleton gets 0",
    inputs: &[],
    parameters: &[PARAMETERS, REWARD],
    plan: |parameters| {
        if parameters.text("center")? != "second_best" {
            return Err(parameters.unknown("center", &["second_best"]));
        }
        if parameters.text("ties")? != "first" {
            return Err(parameters.unknown("ties", &["first"]));
        }
        let score = || signal("score");
        let place = || rank(score(), group(), false);
        let second = sum(score(), group()).over(trainable().only(place().equals(1.0)));
        let lead = score() - second;
        let scaled = match parameters.text("scale")? {
            "group_std" => {
                lead / (std(score(), group(), parameters.small("ddof")?) + parameters.number("eps")?)
            }
            "none" => lead,
            _ => return Err(parameters.unknown("scale", &["group_std", "none"])),
        };
        let credited = place().equals(0.0).and(members(score(), group()).greater(1.0));
        let mut credit = Credit::new();
        if let Some(members) = in_baseline(parameters)? {
            credit = credit.in_baseline(members);
        }
        Ok(credit
            .define("score", reward(parameters, None)?)
            .advantage(when(credited, scaled, score() * 0.0))
            .into())
    },
};
