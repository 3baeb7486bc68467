//! TP-GRPO: the group-relative outcome, corrected on the thoughts that a generative judge disagrees with.

use meed_operators::credit::{STEP, group, mean, normalize, return_to_go, signal, when};

use super::inputs::STEP_CORRECT;
use crate::parameters::{Parameter, parameter};
use crate::parts::group::{GROUP, group_norm};
use crate::parts::steps::{indicator, is_correct, is_end_of_run, judged, on_tokens};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("alpha", "0.5", "magnitude of process rewards per share of correct rollouts in the group"),
    parameter(
        "form",
        "closed",
        "closed: the advantages that the paper's propositions give; summed: rewards of thoughts to go, where the last thought has none",
    ),
];

/// TP-GRPO: with `o` the group-standardised outcome (1 or -1) and `c = alpha * share of correct rollouts`, a
/// correct rollout gets `o` on its correct thoughts and `o - c` on its incorrect ones; a wrong rollout gets
/// `o` on the thoughts that lead to its answer and 0 on the others.
///
/// A thought is a maximal run of steps with the same verdict. `step_correct` is, in a wrong rollout, false on
/// the steps that match its wrong answer and true on those that do not. Steps without a verdict get the
/// outcome's, as does a rollout without steps. The summed form equals the closed one where the last thought of a
/// rollout is judged as its outcome; it is where thoughts, not steps, are counted.
pub const TP_GRPO: Recipe = Recipe {
    name: "tp_grpo",
    title: "group-relative outcome, lowered on wrong thoughts and spared on right ones of wrong rollouts",
    citation: "He et al. 2025, Good Learners Think Their Thinking, arXiv 2507.23317",
    family: "process",
    formula: "A = o - c * [incorrect] in correct rollouts, o * [matching] in wrong ones",
    fidelity: Fidelity::Reconstructed,
    deviations: "read second-hand: alpha, the sample deviation with 1e-6 added, and the verdict of steps that were not judged are guesses",
    inputs: &[&[STEP_CORRECT]],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let outcome = when(is_correct(), 1.0, -1.0);
        let share = mean(indicator(is_correct()), group());
        let verdict = || signal("step_verdicts");
        let (outcome_part, process_part) = (|| signal("outcome_advantage"), || signal("process_reward"));
        let step = match parameters.text("form")? {
            "closed" => when(
                is_correct(),
                outcome_part() - process_part() * indicator(verdict().negated()),
                outcome_part() * indicator(verdict().negated()),
            ),
            "summed" => {
                let magnitude = when(is_correct(), process_part(), -outcome_part());
                let thought = magnitude * when(verdict(), 1.0, -1.0);
                let reward = when(is_end_of_run(verdict()), thought, 0.0);
                outcome_part() + return_to_go(reward, 1.0)
            }
            _ => return Err(parameters.unknown("form", &["closed", "summed"])),
        };
        let credit = judged([])
            .define("outcome_advantage", normalize(outcome, &group_norm(parameters)?))
            .define("process_reward", parameters.number("alpha")? * share)
            .define("step_verdicts", signal("step_correct").or_else(is_correct().spread(STEP)))
            .define("step_thought_advantages", step);
        let advantage = on_tokens(signal("step_thought_advantages"), outcome_part());
        Ok(credit.advantage(advantage).into())
    },
    ..ADVANTAGE
};
