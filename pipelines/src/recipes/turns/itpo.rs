//! ITPO: the outcome shared among turns by the scores of an implicit process reward model.

use meed_operators::Result;
use meed_operators::credit::{
    Expr, ROLLOUT, Reduction, TOKEN, TURN, batch, group, mask, mean, members, return_to_go, rollout, signal,
    softmax, sum, when,
};

use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::steps::judged;
use crate::parts::turns::all_by_turn;
use crate::parts::whitening::{WHITEN_ON, WHITENING, whitened};
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};
use crate::recipes::process::{TOKEN_PRM_LOGPROBS, TOKEN_REF_LOGPROBS};

const PARAMETERS: &[Parameter] = &[
    parameter("beta", "0.05", "scale of log-ratios"),
    parameter(
        "variant",
        "norm",
        "norm: shares by the mean score of a turn's tokens times the mean length of turns; raw: by the sum of its scores",
    ),
    parameter("temperature", "0.7", "of the shares"),
    parameter(
        "outcome_weight",
        "1.0",
        "of the outcome at the end of the rollout, less the mean of the others",
    ),
];

/// ITPO: `r_k = p_k R`, `p = softmax_k(mean score of turn k * mean length of turns / T)` in the rollout; each
/// rollout's `r_k n / (n - 1) - sum_i mean_k(r_{i,k}) / (n - 1)` at the ends of its turns, and the
/// leave-one-out outcome at its end, are summed from each token on, and whitened over the batch.
///
/// A lone rollout has nothing to be compared with: its own terms are 0.
pub const ITPO: Recipe = Recipe {
    name: "itpo",
    title: "the outcome shared among turns by an implicit process reward model",
    citation: "ITPO, arXiv 2603.23550; Graph-COM/ITPO itpo_core_algos",
    family: "turns",
    formula: "r_k = R softmax_k(mean score_k L / T); A = whiten(sum_{later} (loo(r_k) + [end] loo(R)))",
    fidelity: Fidelity::Equations,
    deviations: "token costs, the second metric of the authors' program, are left out; guessed: beta, that the outcome is shared in the raw variant too, and that turns are counted over the batch for their mean length",
    inputs: &[&[TOKEN_PRM_LOGPROBS, TOKEN_REF_LOGPROBS]],
    parameters: &[PARAMETERS, &[WHITEN_ON], WHITENING],
    plan,
    ..ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let log_ratio = || signal("token_prm_logprobs") - signal("token_ref_logprobs");
    let scores: Expr = parameters.number("beta")? * log_ratio();
    let lengths = mask().reduce(TURN, Reduction::Sum);
    let scores = match parameters.text("variant")? {
        "norm" => all_by_turn(scores, Reduction::Mean) * mean(lengths, batch()),
        "raw" => all_by_turn(scores, Reduction::Sum),
        _ => return Err(parameters.unknown("variant", &["norm", "raw"])),
    };
    let rewards = || signal("turn_rewards");
    let of_rollout = rewards().reduce(ROLLOUT, Reduction::Mean);
    let compared = |x: Expr, of_rollout: Expr| {
        let number = || members(of_rollout.clone(), group());
        let others = (number() - 1.0).max(1.0);
        when(number().equals(1.0), 0.0, (x * number() - sum(of_rollout.clone(), group())) / others)
    };
    let outcome = parameters.number("outcome_weight")? * compared(signal("reward"), signal("reward"));
    let credit = judged([log_ratio()])
        .define("turn_scores", scores)
        .define("turn_shares", softmax(signal("turn_scores") / parameters.number("temperature")?, rollout()))
        .define("turn_rewards", signal("turn_shares") * signal("reward"))
        .define("turn_compared", compared(rewards(), of_rollout))
        .define("token_rewards", signal("turn_compared").at_last(TOKEN) + outcome.at_last(TOKEN))
        .returns(return_to_go(signal("token_rewards"), 1.0));
    Ok(credit.advantage(whitened(parameters, signal("returns"))?).into())
}
