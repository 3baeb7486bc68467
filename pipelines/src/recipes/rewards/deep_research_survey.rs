//! The composite reward of deep-research agents: the answer, its format, and searches beyond a budget.

use meed_operators::credit::{Credit, signal};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::recipe::{Fidelity, REWARD, Recipe};

const INPUTS: &[Input] = &[
    input(
        "answer_f1",
        Of::Share,
        "overlap of the answer with the gold one",
        "a judge of answers, or an import",
    ),
    input(
        "format_valid",
        Of::Flag,
        "whether tags and answer are well formed",
        "a judge such as `regex`, or an import",
    ),
    input(
        "searches",
        Of::Count,
        "searches that the rollout made",
        "an environment that counts them, or an import",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("format_weight", "0.2", "what a valid format adds"),
    parameter("search_penalty", "0.1", "what each search beyond the budget takes off"),
    parameter("search_budget", "4", "searches that cost nothing"),
];

/// `r = F1 + format_weight [format valid] - search_penalty max(0, searches - search_budget)`.
pub const DEEP_RESEARCH_SURVEY: Recipe = Recipe {
    name: "deep_research_survey",
    title: "answer overlap with a bonus for format and a price for searches beyond a budget",
    citation: "Reinforcement Learning Foundations for Deep Research Systems: A Survey, arXiv 2509.06733",
    family: "rewards",
    formula: "r = F1 + w_f [format] - w_s max(0, searches - budget)",
    fidelity: Fidelity::Reconstructed,
    deviations: "a survey without an algorithm of its own: the components are those that it lists, the weights are illustrative",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let beyond = (signal("searches") - parameters.number("search_budget")?).max(0.0);
        let format = parameters.number("format_weight")? * signal("format_valid");
        let reward = signal("answer_f1") + format - parameters.number("search_penalty")? * beyond;
        Ok(Credit::new().define("rewards", reward).into())
    },
    ..REWARD
};
