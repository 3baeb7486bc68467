//! R3-RAG: retrieval steps rewarded by what they found, scaled by how the answer turned out.

use meed_operators::Result;
use meed_operators::credit::{Expr, ROLLOUT, Reduction, STEP, TOKEN, if_present, signal, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::dense::{ESTIMATE, estimated_inside};
use crate::parts::steps::{is_correct, is_last_step, judged, step_ends, truth, where_used};
use crate::parts::whitening::{WHITEN_ON, WHITENING};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    input(
        "step_relevance",
        Of::Share,
        "relevance of what the step retrieved; null for the step that answers",
        "a judge that reads the documents of each step",
    ),
    input(
        "answered",
        Of::Flag,
        "whether the rollout gave an answer before its step limit",
        "parse the last step; import it",
    ),
    input(
        "step_format_ok",
        Of::Flag,
        "whether the step keeps the format; without the column all do",
        "parse the step; import it",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("correct_bonus", "0.6", "added to the factor of steps before a right answer"),
    parameter("uncorrect_penalty", "0.2", "taken off the factor of steps before a wrong answer"),
    parameter("fail_penalty", "0.1", "taken off the factor of steps that lead to no answer"),
    parameter("format_wrong", "0.1", "a step of broken format gets this less 1"),
    parameter("final_reward", "2.0", "reward of a step that answers rightly; a wrong answer gets 0"),
    parameter("decimals", "3", "step rewards are rounded to so many decimals"),
];

/// R3-RAG: `r_t = c rel_t` with `c` 1.6 before a right answer, 0.8 before a wrong one, 0.9 without one; the answering
/// step gets 2 or 0. A step of broken format gets -0.9, and the others of its rollout their plain relevance.
///
/// Every step is a sample of its own: its reward lands on its last token, and neither value nor trace crosses to
/// the next step.
pub const R3_RAG: Recipe = Recipe {
    name: "r3_rag",
    title: "relevance of each retrieval, scaled by the outcome, estimated step by step",
    citation: "R3-RAG: Learning Step-by-Step Reasoning and Retrieval for LLMs, arXiv 2505.23794; Yuan-Li-FNLP/R3-RAG generate_step_samples",
    family: "turns",
    objective: ("ppo_clip", &[("value_coef", "0.5")]),
    formula: "r_t = (1 + bonus) rel_t or (1 - penalty) rel_t; answer: 2 or 0; A = GAE inside the step",
    fidelity: Fidelity::Equations,
    deviations: "halves are rounded up, where the released code rounds them to even; a batch is not filled up with repeated samples",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, ESTIMATE, &[WHITEN_ON], WHITENING],
    plan: |parameters| {
        let rewards = step_rewards(parameters)?;
        let credit = judged([rewards.clone()]).define("step_shaped_rewards", rewards);
        let placed = signal("step_shaped_rewards").at_last(TOKEN);
        Ok(estimated_inside(parameters, credit, placed, step_ends().equals(1.0))?.into())
    },
    ..ADVANTAGE
};

fn step_rewards(parameters: &Parameters) -> Result<Expr> {
    let number = |name: &str| parameters.number(name);
    // A null has a meaning here, at the step that answers; elsewhere it makes the reward null.
    let relevance = || where_used(signal("step_relevance"));
    let keeps_format = || if_present(signal("step_format_ok"), truth().spread(STEP));
    let broken = keeps_format().negated().reduce(ROLLOUT, Reduction::Any).empty(0.0);
    let before = when(is_correct(), 1.0 + number("correct_bonus")?, 1.0 - number("uncorrect_penalty")?);
    let last = when(is_correct(), number("final_reward")?, 0.0);
    let answering = when(is_last_step(), last, before * relevance());
    let unanswered = (1.0 - number("fail_penalty")?) * relevance();
    let scaled = when(signal("answered"), answering, unanswered);
    let reward = when(broken, relevance(), scaled);
    let reward = when(keeps_format(), reward, number("format_wrong")? - 1.0);
    let places = 10f64.powf(number("decimals")?);
    Ok((reward * places + 0.5).floor() / places)
}
