//! ProRAG: outcome and step scores, each normalised in a pool of its own, added.

use meed_operators::credit::{Norm, TOKEN, normalize, signal, when};

use super::inputs::FORMAT_OK;
use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::steps::judged;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("step_weight", "0.3", "weight of the step part: 0.3 in the script, 0.5 in the class"),
    parameter("eps", "1e-4", "added to the deviation of outcomes"),
    parameter("outcome", "f1", "f1: of format_ok and f1; reward: the reward as it is"),
    parameter("least_f1", "0.2", "an F1 below counts 0"),
    parameter(
        "step_format",
        "intended (+1 / -2)",
        "what is added to a step's probability: intended (+1 / -2), by step_format_ok; released (always -2)",
    ),
];

const INPUTS: &[Input] = &[
    FORMAT_OK,
    input(
        "f1",
        Of::Share,
        "F1 of the final answer against the reference",
        "a judge of answers, or an import",
    ),
    input(
        "step_prm_probabilities",
        Of::Share,
        "probability that the process reward model gives each step: the sigmoid of its logit",
        "a process reward model as a judge, or an import",
    ),
    input(
        "step_format_ok",
        Of::Flag,
        "true where the step keeps its format",
        "a rule or judge, an import, or leave it out with step_format=released (always -2)",
    ),
];

/// ProRAG: `A_t = normalize(R) + 0.3 * normalize(s(step of t))`, outcomes over the rollouts of the group,
/// step scores over all its trainable tokens.
///
/// `R = 1 or -1 for the format + 2 F1`, `s = probability + 1 or -2 for the format of the step`. The released
/// format check of steps always fails; the constant cancels, so that its advantages are those without one.
/// Retrieved text and inserted tags are masked and in no pool. A rollout without steps has the outcome part only.
pub const PRORAG: Recipe = Recipe {
    name: "prorag",
    title: "group-relative outcome plus step scores normalised over the tokens of the group",
    citation: "Wang et al. 2026, ProRAG, arXiv 2601.21912; lilinwz/ProRAG prorag/rl/trainer.py",
    family: "process",
    objective: ("prorag", &[]),
    formula: "A_t = normalize(R, group) + w * normalize(s(step of t), tokens of the group)",
    fidelity: Fidelity::Reference,
    deviations: "a group of one has outcome part 0, where the reference gives NaN; step formats count as intended unless step_format says otherwise",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let outcome = match parameters.text("outcome")? {
            "f1" => {
                let f1 = || signal("f1");
                let answer = when(f1().at_least(parameters.number("least_f1")?), 2.0 * f1(), 0.0);
                when(signal("format_ok"), 1.0, -1.0) + answer
            }
            "reward" => signal("reward"),
            _ => return Err(parameters.unknown("outcome", &["f1", "reward"])),
        };
        let probability = signal("step_prm_probabilities");
        let score = match parameters.text("step_format")? {
            "intended (+1 / -2)" => probability + when(signal("step_format_ok"), 1.0, -2.0),
            "released (always -2)" => probability - 2.0,
            _ => {
                return Err(
                    parameters.unknown("step_format", &["intended (+1 / -2)", "released (always -2)"])
                );
            }
        };
        let pool = Norm { ddof: 0, variance_eps: 1e-8, ..Norm::group_std(0.0) };
        let step_part = normalize(signal("step_scores").spread(TOKEN), &pool);
        let credit = judged([score.clone()])
            .define("outcome_rewards", outcome)
            .define("step_scores", score)
            .define(
                "outcome_advantages",
                normalize(signal("outcome_rewards"), &Norm::group_std(parameters.number("eps")?)),
            )
            .define("token_step_advantages", step_part);
        let weighted = parameters.number("step_weight")? * signal("token_step_advantages").or_else(0.0);
        Ok(credit.advantage(signal("outcome_advantages") + weighted).into())
    },
    ..ADVANTAGE
};
