//! PRL: the group advantage less the entropy-regularised cost of what follows, constant over fixed steps.

use meed_operators::credit::{Running, maximum, rollout, signal, sum, trainable};

use crate::parameters::{Parameter, parameter};
use crate::parts::divergence::log_ratio;
use crate::parts::group::{GROUP, group_advantage};
use crate::parts::steps::judged;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("eta", "200", "inverse weight of the divergence"),
    parameter("step_tokens", "256", "trainable tokens of a step"),
];

/// PRL: `r_t = A_group - (1 / eta) sum_{k >= t} (log pi - log pi_ref)` at the last token of each step of
/// `step_tokens` tokens, and that on all tokens of the step.
///
/// The last token's own log-ratio is in the sum, as in the released program.
pub const PRL: Recipe = Recipe {
    name: "prl",
    title: "group advantage less the divergence that follows, at the ends of fixed steps",
    citation: "PRL, arXiv 2601.10201; MaxwellJryao/Process-Reward-Learning",
    family: "tokens",
    formula: "A = normalize(r, by(group)) - sum_{k >= end of step} log(pi / pi_ref) / eta",
    fidelity: Fidelity::Equations,
    deviations: "steps are counted in trainable tokens",
    inputs: &[],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let (eta, length) = (parameters.number("eta")?, parameters.number("step_tokens")?);
        let position = || signal("token_positions");
        let by_step = || rollout().and((position() / length).floor());
        let is_end = position().equals(maximum(position(), by_step()));
        let rewards = signal("outcome_advantage") - log_ratio().recur(1.0) / eta;
        let of_step = sum(signal("token_process_rewards"), by_step()).over(trainable().only(is_end));
        Ok(judged([log_ratio()])
            .define("outcome_advantage", group_advantage(parameters, signal("reward"))?)
            .define("token_positions", log_ratio().scan(Running::Count) - 1.0)
            .define("token_process_rewards", rewards)
            .advantage(of_step)
            .into())
    },
    ..ADVANTAGE
};
