//! Implicit PRM: log-ratios of an outcome-trained model as rewards of steps and scores of responses.

use meed_operators::credit::{Credit, Expr, ROLLOUT, Reduction, Running, STEP, mask, signal, when};

use super::inputs::{TOKEN_PRM_LOGPROBS, TOKEN_REF_LOGPROBS};
use crate::parameters::{Parameter, parameter};
use crate::recipe::{Fidelity, REWARD, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter(
        "coefficient",
        "0.05",
        "beta, as the model was trained; the evaluation script scales by 0.001, which ranks alike",
    ),
    parameter("reference", "frozen", "frozen: token_ref_logprobs; none: the model's log-probabilities alone"),
    parameter("granularity", "step", "what is rewarded: step, or token"),
    parameter(
        "score",
        "sum_single",
        "the score of a response: min or sum, over single rewards or cumulative ones: min_single, sum_single (the outcome reward), min_cumulative, sum_cumulative",
    ),
];

const SCORES: &[&str] = &["min_single", "sum_single", "min_cumulative", "sum_cumulative"];

/// `r_k = beta * sum over the tokens of step k of (log p_prm - log p_ref)`, and the scores of a response that
/// follow: the least or the sum of the `r_k`, or of `q_k = r_1 + ... + r_k`.
///
/// `<level>_rewards` and `<level>_cumulative` are kept at the level of the granularity, beside the four
/// scores; `rewards` is the chosen one. The first token of the response counts, masked tokens do not. A
/// rollout in which nothing was rewarded has no score.
pub const IMPLICIT_PRM: Recipe = Recipe {
    name: "implicit_prm",
    title: "log-ratios of an outcome-trained model as step rewards and response scores",
    citation: "Yuan et al. 2024, Free Process Rewards without Process Labels, arXiv 2412.01981; PRIME-RL/ImplicitPRM",
    family: "process",
    formula: "r_k = beta * sum_{t in step k} (log p_prm - log p_ref)",
    fidelity: Fidelity::Reference,
    deviations: "",
    inputs: &[&[TOKEN_PRM_LOGPROBS, TOKEN_REF_LOGPROBS]],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let log_ratio = match parameters.text("reference")? {
            "frozen" => signal("token_prm_logprobs") - signal("token_ref_logprobs"),
            "none" => signal("token_prm_logprobs"),
            _ => return Err(parameters.unknown("reference", &["frozen", "none"])),
        };
        let tokens: Expr = parameters.number("coefficient")? * log_ratio;
        let (level, rewards) = match parameters.text("granularity")? {
            "step" => ("step", tokens.reduce(STEP, Reduction::Sum)),
            "token" => ("token", when(mask(), tokens, 0.0)),
            _ => return Err(parameters.unknown("granularity", &["step", "token"])),
        };
        let (single, cumulative) = (format!("{level}_rewards"), format!("{level}_cumulative"));
        let mut credit =
            Credit::new().define(&single, rewards).define(&cumulative, signal(&single).scan(Running::Sum));
        for (name, signals) in [("single", &single), ("cumulative", &cumulative)] {
            let of = |reduction| signal(signals).reduce(ROLLOUT, reduction);
            credit = credit.define(format!("score_min_{name}"), of(Reduction::Min));
            credit = credit.define(format!("score_sum_{name}"), of(Reduction::Sum));
        }
        match parameters.text("score")? {
            score if SCORES.contains(&score) => {
                Ok(credit.define("rewards", signal(format!("score_{score}"))).into())
            }
            _ => Err(parameters.unknown("score", SCORES)),
        }
    },
    ..REWARD
};
