//! VSRM: what each step adds to the chance of a right answer, where it adds anything.

use meed_operators::credit::{TOKEN, difference, signal, when};

use super::inputs::{PROMPT_PROVER_SUCCESS, STEP_PROVER_SUCCESS, TOKEN_VALUES};
use crate::parameters::{Parameter, parameter};
use crate::parts::dense::{ESTIMATE, estimated};
use crate::parts::steps::judged;
use crate::parts::whitening::{WHITEN_OFF, WHITENING};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("threshold", "0.1", "least change of accuracy that counts"),
    parameter("decay", "0.7", "factor per step between a step without a change and the next change"),
    parameter(
        "base",
        "prompt",
        "accuracy before the first step: prompt (prompt_prover_success), or first (that after it, so that it gains nothing)",
    ),
    parameter("outcome_columns", r#"["reward"]"#, "rewards of the last token, such as outcome and format"),
];

/// VSRM: with `d_k` the change of accuracy that step `k` makes, `r_k = d_k` where `|d_k| >= threshold`, else
/// `decay^q` times the first such change, `q` steps later, and 0 without one.
///
/// Rewards land on the last token of their step, the outcome on the last token; a critic, or whitened returns
/// (`values=none, whiten=batch_tokens`) for REINFORCE++. A rollout without steps has its outcome only.
pub const VSRM: Recipe = Recipe {
    name: "vsrm",
    title: "changes of accuracy from step to step, looking ahead where nothing changes",
    citation: "Yue et al. 2025, Promoting Efficient Reasoning with Verifiable Stepwise Reward, arXiv 2508.10293",
    family: "process",
    objective: ("ppo_clip", &[("value_coef", "0.5")]),
    formula: "r_k = d_k if |d_k| >= threshold else decay * r_{k+1}; A = GAE(r + outcome)",
    fidelity: Fidelity::Reconstructed,
    deviations: "read from the abstract and summaries: threshold, decay, an unbounded look-ahead and the accuracy before the first step are guesses",
    inputs: &[&[STEP_PROVER_SUCCESS, PROMPT_PROVER_SUCCESS, TOKEN_VALUES]],
    parameters: &[PARAMETERS, ESTIMATE, &[WHITEN_OFF], WHITENING],
    plan: |parameters| {
        let accuracy = || signal("step_prover_success");
        let base = match parameters.text("base")? {
            "prompt" => signal("prompt_prover_success"),
            "first" => accuracy(),
            _ => return Err(parameters.unknown("base", &["prompt", "first"])),
        };
        let change = || signal("step_progress");
        let counts = change().abs().at_least(parameters.number("threshold")?);
        let looked_ahead =
            when(counts.clone(), change(), 0.0).recur(when(counts, 0.0, parameters.number("decay")?));
        let mut rewards = signal("step_shaped_rewards").at_last(TOKEN);
        for column in parameters.texts("outcome_columns")? {
            rewards = rewards + signal(column).at_last(TOKEN);
        }
        let credit = judged([accuracy()])
            .define("step_progress", difference(accuracy(), Some(base)))
            .define("step_shaped_rewards", looked_ahead);
        Ok(estimated(parameters, credit, rewards)?.into())
    },
    ..ADVANTAGE
};
