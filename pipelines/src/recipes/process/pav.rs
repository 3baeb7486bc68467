//! PAV: the progress that a step makes for a prover, beside the outcome.

use meed_operators::credit::{Expr, difference, signal};

use super::inputs::{PROMPT_PROVER_SUCCESS, STEP_PROVER_SUCCESS, TOKEN_VALUES};
use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::steps::{judged, on_tokens};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("alpha", "5.0", "coefficient of the progress: 5 for a 2B policy, 3 for 9B"),
    parameter("best_of", "4", "K of the best-of-K prover; 1: the prover as it was measured"),
    parameter(
        "policy_value",
        "outcome",
        "the policy's own value of a step: outcome (the rollout's reward), or estimated (step_policy_success)",
    ),
    parameter(
        "baseline",
        "critic",
        "what is subtracted: critic (token_values, which regress the returns), none",
    ),
];

const POLICY_SUCCESS: Input = input(
    "step_policy_success",
    Of::Share,
    "probability that the policy itself finishes correctly from the prefix that ends with the step",
    "completions sampled from each prefix and verified, or an import; or leave it out with policy_value=outcome",
);

/// PAV: `g_h = Q_pi + alpha * (Q_mu(s_h) - Q_mu(s_{h-1}))` on every token of step `h`, where the prover is
/// the best of K samples, `Q_mu = 1 - (1 - Q)^K`. Progress is added step by step and not accumulated.
///
/// The first step gains on the success from the prompt. A prover that always or never succeeds makes no
/// progress. A rollout without steps has the outcome alone.
pub const PAV: Recipe = Recipe {
    name: "pav",
    title: "outcome plus the progress of each step under a prover policy",
    citation: "Setlur et al. 2024, Rewarding Progress, arXiv 2410.08146",
    family: "process",
    objective: ("reinforce", &[("value_coef", "0.5"), ("kl", r#"{"coef": 0.001}"#)]),
    formula: "A_t = Q_pi + alpha * (Q_mu(s_h) - Q_mu(s_{h-1})) - V_t, Q_mu = 1 - (1 - Q)^K",
    fidelity: Fidelity::Equations,
    deviations: "",
    inputs: &[&[STEP_PROVER_SUCCESS, PROMPT_PROVER_SUCCESS, POLICY_SUCCESS, TOKEN_VALUES]],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let tries = parameters.number("best_of")?;
        let best_of = |success: &str| 1.0 - (1.0 - signal(success)).power(tries);
        let progress = difference(best_of("step_prover_success"), Some(best_of("prompt_prover_success")));
        let mut credit = judged([signal("step_prover_success")]);
        let value: Expr = match parameters.text("policy_value")? {
            "outcome" => signal("reward"),
            "estimated" => {
                credit = judged([signal("step_prover_success"), signal("step_policy_success")]);
                signal("step_policy_success")
            }
            _ => return Err(parameters.unknown("policy_value", &["outcome", "estimated"])),
        };
        let effective = value + parameters.number("alpha")? * signal("step_progress");
        let credit = credit
            .define("step_progress", progress)
            .define("step_effective_rewards", effective)
            .returns(on_tokens(signal("step_effective_rewards"), signal("reward")));
        Ok(match parameters.text("baseline")? {
            "critic" => credit.advantage(signal("returns") - signal("token_values")),
            "none" => credit.advantage(signal("returns")),
            _ => return Err(parameters.unknown("baseline", &["critic", "none"])),
        }
        .into())
    },
    ..ADVANTAGE
};
