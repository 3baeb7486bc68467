//! SPARK: verdicts of a generative process reward model, without a reference answer.

use meed_operators::credit::{Expr, ROLLOUT, Reduction, if_present, normalize, signal, when};

use super::inputs::{CRITIQUE_CORRECT, FORMAT_OK, STEP_CORRECT, STEP_CRITIQUE_CORRECT};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::{GROUP, group_advantage, group_norm};
use crate::parts::steps::{indicator, is_correct, judged, on_tokens, truth};
use crate::parts::votes::{majority, majority_of_steps};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter(
        "verdicts",
        "given",
        "given: reward and step_correct; majority: of critique_correct and step_critique_correct",
    ),
    parameter(
        "shape",
        "process_aware",
        "reward of a rollout in good format: process_aware (its verdict), step_augmented (the share of correct steps too)",
    ),
    parameter("step_weight", "0.4", "step_augmented: weight of the share of correct steps"),
    parameter("outcome_weight", "0.6", "step_augmented: weight of the verdict"),
    parameter(
        "credit",
        "whole",
        "whole: one advantage per rollout; selective: only on steps whose verdict has its sign; global_step: mixed with verdicts normalised over the steps of the group",
    ),
    parameter("process_share", "0.8", "global_step: weight of the rollout's advantage"),
    parameter("step_share", "0.2", "global_step: weight of the step's"),
];

/// SPARK: `r = format * y` or `format * (0.4 * correct steps / steps + 0.6 * y)`, normalised in the group,
/// with three ways from rollouts to steps.
///
/// `reward` is the model's verdict, as no reference answer is known. Data without `format_ok` has every rollout
/// in good format. In a rollout without steps the selective credit is 0, and so is the step's part of the mixed
/// one. A tie of critiques is no majority.
pub const SPARK: Recipe = Recipe {
    name: "spark",
    title: "group-relative verdicts of a process reward model, selected or mixed per step",
    citation: "Rahman et al. 2025, SPARK, arXiv 2512.03244",
    family: "process",
    formula: "A = normalize(format * (w_s * share of correct steps + w_o * y)), kept where the step's verdict agrees",
    fidelity: Fidelity::Reconstructed,
    deviations: "read second-hand: the sample deviation with 1e-6 added, and step verdicts normalised over all steps of the group, are guesses",
    inputs: &[&[STEP_CORRECT, FORMAT_OK, CRITIQUE_CORRECT, STEP_CRITIQUE_CORRECT]],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let (verdict, of_steps) = match parameters.text("verdicts")? {
            "given" => (is_correct(), signal("step_correct")),
            "majority" => (majority(), majority_of_steps()),
            _ => return Err(parameters.unknown("verdicts", &["given", "majority"])),
        };
        let mut needs_steps = true;
        let verdict = indicator(verdict);
        let scored: Expr = match parameters.text("shape")? {
            "process_aware" => {
                needs_steps = false;
                verdict
            }
            "step_augmented" => {
                let share = indicator(of_steps.clone()).reduce(ROLLOUT, Reduction::Mean).empty(0.0);
                parameters.number("step_weight")? * share + parameters.number("outcome_weight")? * verdict
            }
            _ => return Err(parameters.unknown("shape", &["process_aware", "step_augmented"])),
        };
        let format = if_present(signal("format_ok"), truth());
        let rewards = indicator(format) * scored;
        let relative = || signal("outcome_advantage");
        let advantage = match parameters.text("credit")? {
            "whole" => relative(),
            "selective" => {
                needs_steps = true;
                let agreeing = when(of_steps.clone(), relative().max(0.0), relative().min(0.0));
                on_tokens(agreeing, 0.0)
            }
            "global_step" => {
                needs_steps = true;
                let steps = normalize(indicator(of_steps.clone()), &group_norm(parameters)?);
                parameters.number("process_share")? * relative()
                    + parameters.number("step_share")? * on_tokens(steps, 0.0)
            }
            _ => return Err(parameters.unknown("credit", &["whole", "selective", "global_step"])),
        };
        let credit = judged(needs_steps.then_some(of_steps))
            .define("rewards", rewards)
            .define("outcome_advantage", group_advantage(parameters, signal("rewards"))?);
        Ok(credit.advantage(advantage).into())
    },
    ..ADVANTAGE
};
