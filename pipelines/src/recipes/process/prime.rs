//! PRIME: log-ratios of an implicit process reward model as dense rewards beside the outcome.

use meed_operators::Result;
use meed_operators::credit::{
    Expr, ROLLOUT, Reduction, TOKEN, batch, group, leave_one_out, maximum, mean, members, return_to_go,
    signal, sum, whiten,
};

use super::inputs::{TOKEN_PRM_LOGPROBS, TOKEN_REF_LOGPROBS};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::divergence::policy_logprobs;
use crate::parts::steps::{judged_where, truth, unless_alone};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("granularity", "token", "token: a reward on every token; whole: their sum on the last one"),
    parameter("reference", "frozen", "frozen: token_ref_logprobs; old policy: token_old_logprobs"),
    parameter("process_coef", "1.0", "coefficient of the process rewards: the paper's beta, 0.05 there"),
    parameter(
        "score_norm",
        "batch_norm",
        "batch_norm: over the greatest absolute process return of the batch; none",
    ),
    parameter("score_norm_eps", "1e-6", "added to it"),
    parameter(
        "baseline",
        "released",
        "of process rewards: released, r n / (n - 1) - sum of all means / (n - 1); paper, r - mean of the others' means",
    ),
    parameter("gamma_process", "1.0", "discount of process rewards per token"),
    parameter("gamma_outcome", "1.0", "discount of the outcome per token"),
    parameter("whiten_eps", "1e-8", "added to the variance in whitening"),
    parameter(
        "filter",
        "[0.2, 0.8]",
        "groups whose mean reward lies outside are left out, both ends included; null: none is",
    ),
];

/// PRIME: `A = whiten(sum_{s >= t} (q_s - baseline) + r - mean of the others' r)` with
/// `q = log p_prm - log p_ref`.
///
/// The reward model is trained by the objective `prime`; whether its scores are those before or after that
/// step is the choice of who joins them. The config's coefficients of both sources are ignored by the released
/// returns, and so they are here.
pub const PRIME: Recipe = Recipe {
    name: "prime",
    title: "implicit process rewards and the outcome, each less its leave-one-out baseline, whitened",
    citation: "Cui et al. 2025, PRIME, arXiv 2502.01456; PRIME-RL/PRIME compute_rloo_returns",
    family: "process",
    formula: "A = whiten(return(q - baseline(q)) + return(r - mean(r_j, j != i)))",
    fidelity: Fidelity::Reference,
    deviations: "a group of one gets 0 before whitening, where the released program divides by 0; the band filters before statistics, as sampling does there",
    inputs: &[&[TOKEN_PRM_LOGPROBS, TOKEN_REF_LOGPROBS]],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let reward = || signal("reward");
        let outcome = reward() - leave_one_out(reward(), group()).or_else(reward());
        let process = return_to_go(process(parameters)?, parameters.number("gamma_process")?);
        let outcome = return_to_go(outcome.at_last(TOKEN), parameters.number("gamma_outcome")?);
        let credit = judged_where(in_band(parameters)?, [])
            .define("token_scores", scores(parameters)?)
            .define("mean_score", signal("token_scores").reduce(ROLLOUT, Reduction::Mean))
            .returns(process + outcome);
        Ok(credit.advantage(whiten(signal("returns"), parameters.number("whiten_eps")?)).into())
    },
    ..ADVANTAGE
};

/// `log p_prm - log p_ref`, scaled.
fn scores(parameters: &Parameters) -> Result<Expr> {
    let reference = match parameters.text("reference")? {
        "frozen" => signal("token_ref_logprobs"),
        "old policy" => policy_logprobs(),
        _ => return Err(parameters.unknown("reference", &["frozen", "old policy"])),
    };
    let log_ratio = signal("token_prm_logprobs") - reference;
    let raw = parameters.number("process_coef")?
        * match parameters.text("granularity")? {
            "token" => log_ratio,
            "whole" => log_ratio.reduce(ROLLOUT, Reduction::Sum).at_last(TOKEN),
            _ => return Err(parameters.unknown("granularity", &["token", "whole"])),
        };
    match parameters.text("score_norm")? {
        "batch_norm" => {
            let greatest = maximum(return_to_go(raw.clone(), 1.0).abs(), batch());
            Ok(raw / (greatest + parameters.number("score_norm_eps")?))
        }
        "none" => Ok(raw),
        _ => Err(parameters.unknown("score_norm", &["batch_norm", "none"])),
    }
}

/// The scores less their baseline.
fn process(parameters: &Parameters) -> Result<Expr> {
    let (score, average) = (signal("token_scores"), || signal("mean_score"));
    let others = || members(average(), group()) - 1.0;
    let relative = match parameters.text("baseline")? {
        "released" => score * (others() + 1.0) / others() - sum(average(), group()) / others(),
        "paper" => score - leave_one_out(average(), group()),
        _ => return Err(parameters.unknown("baseline", &["released", "paper"])),
    };
    Ok(unless_alone(average(), relative))
}

/// True in groups whose mean reward lies in the band.
fn in_band(parameters: &Parameters) -> Result<Expr> {
    match parameters.numbers("filter")?.as_deref() {
        None => Ok(truth()),
        Some([low, high]) => {
            let accuracy = mean(signal("reward"), group());
            Ok(accuracy.clone().at_least(*low).and(accuracy.at_most(*high)))
        }
        Some(_) => Err(parameters.unknown("filter", &["[low, high]", "null"])),
    }
}
