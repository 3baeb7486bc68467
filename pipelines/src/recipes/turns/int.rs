//! InT: imitation of rollouts up to their first error, with the policy's own correction in its place.

use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, Running, if_present, signal, value, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::steps::{indicator, judged_where, truth};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    input(
        "step_intervention",
        Of::Flag,
        "true for the step that stands in the place of the first wrong one",
        "show the policy its failed rollout with the reference solution, and put the step that it proposes in the place of the one that it calls wrong; import the result",
    ),
    input(
        "continued_success",
        Of::Share,
        "success rate of continuations of the corrected rollout (filter=true)",
        "sample continuations after the correction and verify them",
    ),
    input(
        "original_success",
        Of::Share,
        "success rate of continuations of the step that was wrong (filter=true)",
        "sample continuations after the original step and verify them",
    ),
    input(
        "intervention_leaks",
        Of::Flag,
        "true where the correction gives the reference answer away; without the column none does",
        "a judge that compares the correction with the reference",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("loss_on", "prefix_and_intervention", "prefix_and_intervention, intervention (alone)"),
    parameter("filter", "false", "true: only corrections that raise the success rate of continuations"),
];

/// InT: the steps before the first error and the correction have weight 1, all that follows 0, and every advantage is
/// 1; the likelihood of what has weight is maximised before outcome rewards take over.
///
/// A rollout without a correction is not imitated, nor one whose correction gives the answer away.
pub const INT: Recipe = Recipe {
    name: "int",
    title: "imitation of prefixes with a self-proposed correction of the first error",
    citation: "Self-Proposed Interventions Enable Credit Assignment in LLM Reasoning, arXiv 2601.14209",
    family: "turns",
    objective: ("negative_log_likelihood", &[]),
    formula: "loss = -mean log pi over the steps up to the intervention",
    fidelity: Fidelity::Reconstructed,
    deviations: "read from the abstract; guessed: that the prefix is imitated too, the filter, that corrections which give the answer away are left out; the training by outcomes that follows is another recipe's",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let corrects = || signal("step_intervention");
        let reached = indicator(corrects()).scan(Running::Max).backward().equals(1.0);
        let imitated = match parameters.text("loss_on")? {
            "prefix_and_intervention" => reached,
            "intervention" => corrects(),
            _ => return Err(parameters.unknown("loss_on", &["prefix_and_intervention", "intervention"])),
        };
        let credit: Credit = judged_where(truth(), [corrects()])
            .define("kept", kept(parameters)?)
            .define("step_weights", indicator(imitated.and(signal("kept"))))
            .weights(signal("step_weights"));
        Ok(credit.advantage(value(1.0)).into())
    },
    ..ADVANTAGE
};

fn kept(parameters: &Parameters) -> Result<Expr> {
    let leaks = if_present(signal("intervention_leaks"), truth().negated());
    Ok(match parameters.boolean("filter")? {
        true => {
            when(leaks, truth().negated(), signal("continued_success").greater(signal("original_success")))
        }
        false => leaks.negated(),
    })
}
