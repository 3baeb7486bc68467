//! QwenLong-L1: a rule or a judge says that an answer is right; hard prompts come back in later stages.

use meed_operators::Result;
use meed_operators::credit::{Credit, ROLLOUT, group, mean, progress, signal, value};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::{GROUP, group_advantage};
use crate::recipe::{Fidelity, Plan, Recipe};

const INPUTS: &[Input] = &[
    input(
        "rule_score",
        Of::Share,
        "1 where a rule finds the reference in the answer",
        "the judge `exact`, or an import",
    ),
    input(
        "judge_score",
        Of::Share,
        "1 where a language model calls the answer right",
        "a judge that asks a language model",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("largest_weight", "100", "most that a prompt's retrospective weight can be; for mean reward 0"),
    parameter("context_limits", "[20000, 60000]", "most tokens of a prompt in each stage"),
    parameter("stage_starts", "[0, 100]", "iteration at which each stage begins"),
];

/// QwenLong-L1: `r = max(rule, judge)`, normalised in the group.
///
/// One verdict that the answer is right decides, also where the other one is missing; else a rollout
/// with a missing verdict is not trained on. The sampler reads `prompt_weight`, the reciprocal of the group's mean reward, by
/// which prompts of earlier stages come back, and `context_limit`, the longest prompt of the stage.
pub const QWENLONG_L1: Recipe = Recipe {
    name: "qwenlong_l1",
    title: "the better of rule and judge, with the weight by which hard prompts come back",
    citation: "QwenLong-L1: Towards Long-Context Large Reasoning Models with RL; Tongyi-Zhiwen/QwenLong-L1",
    family: "outcome",
    formula: "A = normalize(max(rule, judge)), prompt_weight = 1 / mean(r)",
    fidelity: Fidelity::Equations,
    deviations: "guessed: the largest weight (a mean reward of 0 has an infinite one) and when the second stage begins",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan,
    ..crate::recipe::ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let (rule, judge) = (|| signal("rule_score"), || signal("judge_score"));
    let best = rule().or_else(0.0).max(judge().or_else(0.0));
    let undecided = best.clone().less(1.0).and((rule() + judge()).is_null());
    let limits = parameters.numbers("context_limits")?.unwrap_or_default();
    let starts = parameters.numbers("stage_starts")?.unwrap_or_default();
    if limits.is_empty() || limits.len() != starts.len() {
        return Err(parameters.unknown("stage_starts", &["one iteration per context limit"]));
    }
    let mut limit = value(limits[0]).spread(ROLLOUT);
    for (stage, start) in limits.windows(2).zip(&starts[1..]) {
        limit = limit + (stage[1] - stage[0]) * progress(*start, *start);
    }
    let least = 1.0 / parameters.number("largest_weight")?;
    Ok(Credit::new()
        .define("rewards", best.null_if(undecided))
        .define("prompt_weight", 1.0 / mean(signal("rewards"), group()).max(least))
        .define("context_limit", limit)
        .advantage(group_advantage(parameters, signal("rewards"))?)
        .into())
}
