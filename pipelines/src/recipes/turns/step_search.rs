//! StepSearch: searches rewarded by what they add to the documents that the answer needs.

use meed_operators::credit::{
    Expr, Level, Reduction, Running, STEP, TOKEN, count_within, index, minimum, rollout, signal, when,
};

use crate::inputs::{Input, Of, input, pairs};
use crate::parameters::{Parameter, parameter};
use crate::parts::dense::{ESTIMATE, estimated};
use crate::parts::steps::{indicator, judged};
use crate::parts::whitening::{WHITEN_ON, WHITENING};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    input("step_searched", Of::Flag, "whether the step is a search", "the environment; import it"),
    pairs(
        "step_gold_similarities",
        Of::Share,
        "similarity of what the search found to each document that the answer needs; an empty list at other steps",
        "embed the documents that were found and those that are needed",
    ),
    pairs(
        "step_document_ids",
        Of::Text,
        "documents that the search found; an empty list at other steps",
        "the environment; import it",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("redundancy_weight", "1.0", "weight of the share of documents that were found before"),
    parameter("outcome_weight", "1.0", "weight of the outcome at the last token"),
];

/// StepSearch: the reward of a search is `mean_i max(c_i - m_i, 0)`, with `c_i` its similarity to needed document `i`
/// and `m_i` the greatest of the searches before, less the share of its documents that an earlier search had found.
///
/// It lands on the last token of its step, the outcome on the last token of the rollout.
pub const STEP_SEARCH: Recipe = Recipe {
    name: "step_search",
    title: "searches rewarded by new evidence, less what they find again",
    citation: "StepSearch: Igniting LLMs Search Ability via Step-Wise Proximal Policy Optimization, arXiv 2505.15107",
    family: "turns",
    objective: ("ppo_clip", &[("value_coef", "0.5")]),
    formula: "r_t = mean_i max(c_i - m_i, 0) - repeated / found; A = GAE(r + outcome)",
    fidelity: Fidelity::Reconstructed,
    deviations: "from a summary; guessed: equal weights of gain, redundancy and outcome, the estimator's settings",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, ESTIMATE, &[WHITEN_ON], WHITENING],
    plan: |parameters| {
        let similarity = || signal("step_gold_similarities");
        let before = similarity().scan(Running::Max).exclusive().or_else(0.0);
        let gain = (similarity() - before).max(0.0).reduce(STEP, Reduction::Mean).empty(0.0);
        let repeated = indicator(found_before()).reduce(STEP, Reduction::Sum).empty(0.0);
        let found = signal("step_document_ids").reduce(STEP, Reduction::Count);
        let weight = parameters.number("redundancy_weight")?;
        let searched = || signal("step_searched");
        let reward = when(searched(), signal("step_gain") - weight * signal("step_redundancy"), 0.0);
        let credit = judged([similarity(), measured()])
            .define("step_gain", gain)
            .define("step_redundancy", repeated / found.max(1.0))
            .define("step_shaped_rewards", reward);
        let outcome = parameters.number("outcome_weight")? * signal("reward");
        let rewards = signal("step_shaped_rewards").at_last(TOKEN) + outcome.at_last(TOKEN);
        Ok(estimated(parameters, credit, rewards)?.into())
    },
    ..ADVANTAGE
};

/// True for documents that an earlier search found.
fn found_before() -> Expr {
    let step = || index(STEP).spread(Level::pair(&STEP, "document"));
    minimum(step(), rollout().and(signal("step_document_ids"))).less(step())
}

/// Null for a search that was not compared with any needed document.
fn measured() -> Expr {
    let compared = count_within(Level::pair(&STEP, "gold"), STEP).greater(0.0);
    signal("step_searched").null_if(signal("step_searched").and(compared.negated()))
}
