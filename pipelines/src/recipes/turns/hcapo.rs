//! HCAPO: with the outcome in view, how likely was each turn?

use meed_operators::credit::{Expr, Norm, TURN, mean, normalize, rollout, signal, value, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::steps::{is_correct, judged, unless_alone};
use crate::parts::turns::{by_turn, policy_turns, turns_before};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "step_hindsight_logprobs",
    Of::Number,
    "mean log-probability of the turn that ends with the step, to a policy that is also told how the rollout ended",
    "score the rollouts under the policy with a summary of the final state in the context, and import the means",
)];

const PARAMETERS: &[Parameter] = &[
    parameter("temperature", "5.0", "of hindsight scores"),
    parameter("low", "0.8", "least weight of a turn"),
    parameter("high", "1.2", "greatest weight of a turn"),
    parameter("gamma", "0.95", "discount of the outcome per turn"),
    parameter(
        "smoothing",
        "0.0",
        "share of the next turn's value in that of a turn; the paper's option has 0.5",
    ),
    parameter("omega", "1.0", "weight of the turns' part"),
    parameter("eps", "1e-6", "added to deviations"),
    parameter("ddof", "1", "delta degrees of freedom of deviations"),
];

/// HCAPO: `A_k = z(R) + omega z(Q_k)`, the turns' part over all turns of the group, `Q_k = rho_k gamma^(K-k)
/// R`, `rho_k = clip(s_k / mean(s), 0.8, 1.2)`, `s_k = exp(mean log-prob in hindsight / temperature)`.
///
/// A turn of a rollout that succeeded is not made worse by its own part. A lone rollout has 0.
pub const HCAPO: Recipe = Recipe {
    name: "hcapo",
    title: "the outcome weighed by how likely each turn is in hindsight",
    citation: "HCAPO, arXiv 2603.08754",
    family: "turns",
    formula: "A_k = z(R) + omega z(rho_k gamma^(K-k) R), rho_k = clip(s_k / mean_j s_j, 0.8, 1.2), s_k = exp(logprob_k / 5)",
    fidelity: Fidelity::Equations,
    deviations: "guessed: sample deviations, and that a positive reward is a success",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let norm = Norm { ddof: parameters.small("ddof")?, ..Norm::group_std(parameters.number("eps")?) };
        let scores = || signal("turn_hindsight_scores");
        let weights = (scores() / mean(scores(), rollout()))
            .clamp(parameters.number("low")?, parameters.number("high")?);
        let later = policy_turns() - turns_before() - 1.0;
        let values: Expr =
            signal("turn_weights") * value(parameters.number("gamma")?).power(later) * signal("reward");
        let smoothing = parameters.number("smoothing")?;
        let raw = || signal("turn_raw_values");
        let smoothed = if smoothing == 0.0 {
            raw()
        } else {
            (1.0 - smoothing) * raw() + smoothing * raw().shift(-1, Some(raw()))
        };
        let part = || signal("turn_value_advantages");
        let harmless = when(is_correct(), part().max(0.0), part());
        let logprobs = || by_turn(signal("step_hindsight_logprobs"));
        let credit = judged([logprobs()])
            .define("turn_hindsight_scores", (logprobs() / parameters.number("temperature")?).exp())
            .define("turn_weights", weights)
            .define("turn_raw_values", values)
            .define("turn_values", smoothed)
            .define("turn_value_advantages", normalize(signal("turn_values"), &norm))
            .define("outcome_advantage", normalize(signal("reward"), &norm));
        let advantage = signal("outcome_advantage").spread(TURN) + parameters.number("omega")? * harmless;
        // One rollout has nothing to be compared with, however many turns it has.
        Ok(credit.advantage(unless_alone(signal("reward"), advantage)).into())
    },
    ..ADVANTAGE
};
