//! PBSD: turns weighed by how much more likely the policy finds them once it has seen the answer.

use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, ROLLOUT, Reduction, TURN, mean, rollout, signal};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::divergence::policy_logprobs;
use crate::parts::group::{GROUP, group_advantage};
use crate::parts::steps::judged_where;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "token_privileged_logprobs",
    Of::Number,
    "log-probability of the token under the same policy that is shown the verified answer; null without one",
    "score the rollouts under the policy, with the answer in its prompt",
)];

const PARAMETERS: &[Parameter] = &[
    parameter("tau", "1.0", "temperature of the weight"),
    parameter("evidence", "sum", "log-ratios of a turn: sum, mean (over its tokens)"),
    parameter("renormalise", "false", "true: the weights of a rollout's turns have mean 1"),
];

/// PBSD: `e_t = sum over the turn of [log pi(token | answer) - log pi(token)]`, `A_t = 2 sigmoid(sign(A) e_t / tau) A`.
///
/// The sum of `e_t` over the rollout is the log of how much the rollout raises the chance of the answer. A
/// rollout without a verified answer keeps its advantage.
pub const PBSD: Recipe = Recipe {
    name: "pbsd",
    title: "turns weighed by the evidence that they give for the verified answer",
    citation: "Privileged Bayesian Self-Distillation for Long-Horizon Credit Assignment, arXiv 2606.09348",
    family: "turns",
    formula: "A_t = 2 sigmoid(sign(A) e_t / tau) A, e_t = sum log pi(. | answer) - log pi(.)",
    fidelity: Fidelity::Reconstructed,
    deviations: "the abstract has the evidence of a turn and no more; guessed: the mapping to a weight, tau, the sum over tokens, no renormalisation, GRPO as the estimator",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let privileged = signal("token_privileged_logprobs").or_else(policy_logprobs());
        let evidence = (privileged - policy_logprobs()).reduce(TURN, reduction(parameters)?);
        let advantage = || signal("group_advantage");
        let support = advantage().sign() * signal("turn_evidence") / parameters.number("tau")?;
        let weight = 2.0 * support.sigmoid();
        let credit = known_or_absent()
            .define("turn_evidence", evidence)
            .define("group_advantage", group_advantage(parameters, signal("reward"))?)
            .define("turn_support", weight);
        let weight = match parameters.boolean("renormalise")? {
            true => signal("turn_support") / mean(signal("turn_support"), rollout()),
            false => signal("turn_support"),
        };
        Ok(credit.advantage(weight * advantage()).into())
    },
    ..ADVANTAGE
};

fn reduction(parameters: &Parameters) -> Result<Reduction> {
    match parameters.text("evidence")? {
        "sum" => Ok(Reduction::Sum),
        "mean" => Ok(Reduction::Mean),
        _ => Err(parameters.unknown("evidence", &["sum", "mean"])),
    }
}

/// Rollouts whose tokens are all scored, or none of them: there is no answer to show.
fn known_or_absent() -> Credit {
    let missing = |reduction: Reduction| -> Expr {
        signal("token_privileged_logprobs").is_null().reduce(ROLLOUT, reduction).empty(0.0)
    };
    let whole = missing(Reduction::All).or(missing(Reduction::Any).negated());
    judged_where(whole, [policy_logprobs()])
}
