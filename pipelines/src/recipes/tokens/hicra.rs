//! HICRA: the group-relative advantage, amplified on planning tokens.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, ROLLOUT, Reduction, group, if_present, mean, rank, rollout, signal, trainable, value, when,
};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::{GROUP, group_advantage};
use crate::parts::norm::trainable_tokens;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("alpha", "0.2", "how much an advantage grows on amplified tokens, as a share of its size"),
    parameter(
        "variant",
        "paper",
        "paper: planning tokens of every rollout; code: planning tokens and those of high entropy, in rollouts with a positive advantage that are longer than their group's mean",
    ),
    parameter("entropy_share", "0.3", "share of a rollout's tokens that counts as of high entropy, in code"),
];

const INPUTS: &[Input] = &[
    input(
        "token_planning",
        Of::Flag,
        "true inside a strategic gram, an n-gram of words that plans",
        "a judge at token level that matches the planning vocabulary, or an import",
    ),
    input("token_entropies", Of::Number, "entropy of the policy, for variant=code", "the sampler records it"),
];

/// HICRA: `A_t = A + alpha |A|` on planning tokens, so that what is right is rewarded more there and what is
/// wrong punished less.
///
/// Without planning tokens it is GRPO; so is a rollout whose planning column is null. `variant=code` is the
/// function once public, with its update that was lost in a copy put right: there the planning column may be
/// absent.
pub const HICRA: Recipe = Recipe {
    name: "hicra",
    title: "group-relative advantage, amplified on planning tokens",
    citation: "Wang et al. 2025, HICRA, arXiv 2509.03646",
    family: "tokens",
    formula: "A_t = A + alpha * |A| where planning, A elsewhere; A = (r - mean(r)) / (std(r) + eps)",
    fidelity: Fidelity::Equations,
    deviations: "variant=code is known from a port; the authors' repository holds no program",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let advantage = || signal("group_advantage");
        let alpha = parameters.number("alpha")?;
        let credit = Credit::new()
            .define("group_advantage", group_advantage(parameters, signal("reward"))?)
            .define("amplified", amplified(parameters)?);
        Ok(credit.advantage(advantage() + when(signal("amplified"), alpha * advantage().abs(), 0.0)).into())
    },
    ..ADVANTAGE
};

fn amplified(parameters: &Parameters) -> Result<Expr> {
    let never = || value(0.0).equals(1.0);
    let planning = signal("token_planning").equals(1.0).or_else(never());
    match parameters.text("variant")? {
        "paper" => Ok(planning),
        "code" => {
            let length = trainable_tokens();
            let long = length.clone().greater(mean(length.clone(), group()));
            let entropy = || signal("token_entropies");
            let place = ((1.0 - parameters.number("entropy_share")?) * length).floor();
            let there = rank(entropy(), rollout(), true).equals(place);
            let threshold = entropy().reduce(ROLLOUT, Reduction::First).over(trainable().only(there));
            let uncertain = entropy().greater(threshold).or_else(never());
            let rewarded = signal("group_advantage").greater(0.0);
            Ok(if_present(planning, never()).or(uncertain).and(rewarded.and(long)))
        }
        _ => Err(parameters.unknown("variant", &["paper", "code"])),
    }
}
