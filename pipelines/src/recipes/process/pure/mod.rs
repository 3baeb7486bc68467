//! PURE: the worst step decides, by softmin-weighted process rewards.

mod openrlhf;
mod verl;

use meed_operators::Result;
use meed_operators::credit::{Expr, mask, when};

use super::inputs::{STEP_REWARDS, TOKEN_REF_LOGPROBS};
use crate::inputs::Input;
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::divergence::{ESTIMATORS, estimate, log_ratio};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter(
        "branch",
        "verl",
        "verl: the first release; openrlhf: the second; paper: as verl, but the outcome has a baseline of its own",
    ),
    parameter("signals", "process+outcome", "process+outcome, process, or outcome"),
    parameter("temperature", "0.1", "temperature of the softmin over the steps of one rollout"),
    parameter("outcome_coef", "1.0", "coefficient of the outcome reward, which is 1 or 0"),
    parameter("kl_coef", "0.001", "coefficient of the divergence that token rewards lose; 0: none"),
    parameter("kl", "null", "its estimator, k1 or k3; null: k3, and k1 in branch openrlhf"),
];

const VERL: &[Parameter] = &[
    parameter(
        "mode",
        "approx_min",
        "branches verl and paper: approx_min, sums of softmin-weighted scores; sum, sums of the scores; strict_min, the least score to come",
    ),
    parameter("whiten", "true", "branches verl and paper: advantages are whitened over the batch"),
    parameter("whiten_eps", "1e-8", "added to the variance there"),
    parameter(
        "padded_width",
        "null",
        "branches verl and paper: tokens that the baseline is spread over: a number; null, the longest rollout of the batch; own, the rollout's own",
    ),
];

const OPENRLHF: &[Parameter] = &[
    parameter("weights", "softmin", "branch openrlhf: weights of the scores: softmin, uniform"),
    parameter("baseline", "token", "branch openrlhf: what the mean of the others is taken over: token, step"),
    parameter("mask_step_ends", "true", "branch openrlhf: the last token of a step gets no advantage"),
];

const REFERENCE: Input = Input {
    provider: "score the rollouts under the reference policy with `judge`, import them, or leave the divergence out with kl_coef=0",
    ..TOKEN_REF_LOGPROBS
};

/// PURE: `r*_k = softmin(r / T)_k * r_k`, whose sum is close to the least score, as dense rewards with a
/// leave-one-out baseline per token.
///
/// The three modes and both released programs, which share little more than the softmin. In the first the
/// outcome goes through the baseline per token, which depends on the longest rollout of the batch, and the
/// strict minimum runs over tokens without a score as zeros, so that no positive score reaches back. The
/// second compares sums per token or step, does not train on the last token of a step, and divides squared
/// deviations of all tokens by the number of those with an advantage. A rollout without an outcome is neutral
/// there. A rollout without steps has its outcome only; scores of steps that have no trainable token are lost.
pub const PURE: Recipe = Recipe {
    name: "pure",
    title: "softmin-weighted step rewards to go, less what the other rollouts earn per token",
    citation: "Cheng et al. 2025, Stop Summation, arXiv 2504.15275; CJReinforce/PURE",
    family: "process",
    formula: "A_t = whiten(sum_{k >= t} softmin(r / T)_k * r_k + outcome - others per token)",
    fidelity: Fidelity::Reference,
    deviations: "a group of one gets 0 before whitening, where the released programs give NaN to the whole batch",
    inputs: &[&[STEP_REWARDS, REFERENCE]],
    parameters: &[PARAMETERS, VERL, OPENRLHF],
    plan: |parameters| {
        Ok(match parameters.text("branch")? {
            "verl" => verl::credit(parameters, false)?,
            "paper" => verl::credit(parameters, true)?,
            "openrlhf" => openrlhf::credit(parameters)?,
            _ => return Err(parameters.unknown("branch", &["verl", "openrlhf", "paper"])),
        }
        .into())
    },
    ..ADVANTAGE
};

/// Which of process and outcome rewards are wanted.
fn signals(parameters: &Parameters) -> Result<(bool, bool)> {
    match parameters.text("signals")? {
        "process+outcome" => Ok((true, true)),
        "process" => Ok((true, false)),
        "outcome" => Ok((false, true)),
        _ => Err(parameters.unknown("signals", &["process+outcome", "process", "outcome"])),
    }
}

/// The token rewards less the divergence from the reference policy on trainable tokens.
fn penalised(parameters: &Parameters, rewards: Expr, by_default: &str) -> Result<Expr> {
    let coefficient = parameters.number("kl_coef")?;
    if coefficient == 0.0 {
        return Ok(rewards);
    }
    let estimator = if parameters.is_null("kl") { by_default } else { parameters.text("kl")? };
    let divergence = estimate(estimator, log_ratio()).ok_or_else(|| parameters.unknown("kl", ESTIMATORS))?;
    Ok(rewards - when(mask(), coefficient * divergence, 0.0))
}
