//! B-STaR: rejection fine-tuning on what a balance of exploration and exploitation selects.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, ROLLOUT, Reduction, batch, group, if_present, mean, members, rank, signal, sum, trainable,
    value, when,
};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::recipe::{Fidelity, Plan, Recipe};

const INPUTS: &[Input] = &[
    input("step_rewards", Of::Number, "score of each step", "a process reward model, or an import"),
    input(
        "output_id",
        Of::Text,
        "equal for samples with the same text; `response` where the data has no such column",
        "import the text, or a hash of it",
    ),
    input(
        "has_answer",
        Of::Flag,
        "whether the response marks an answer; all do where the data has no such column",
        "a judge such as `regex`, or an import",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("threshold", "0.0", "only scores above it are selected; searched for by `search_threshold`"),
    parameter("max_per_query", "64", "most samples of a prompt, duplicates included"),
    parameter("target_correct", "8", "right samples of a prompt that are enough"),
    parameter("step_weight", "0.2", "weight of the least step reward in the score"),
    parameter("reference", "true", "the reference solution competes too, right and with score 1"),
];

/// B-STaR: `score = min(step rewards) / 5 + [right]`; the best `max_per_query` above the threshold are
/// selected, of equal outputs one, and trained on by their likelihood.
///
/// `query_balance` is `min(n_right / target, 1) n_right / n_selected`, and `balance_score` its mean over
/// the prompts with a selected sample, null without any. The reference solution competes for places and
/// counts as right (score 1, behind samples of equal score), but is no rollout: its row is trained
/// beside these where `reference_selected`. Duplicates are merged after the cut, so that fewer may be
/// left. Threshold and temperature are those with the highest balance score on a sample of prompts:
/// `meed_operators::sample::search_threshold`.
pub const B_STAR: Recipe = Recipe {
    name: "b_star",
    title: "the samples that rejection fine-tuning selects, and the balance score of the selection",
    citation: "B-STaR: Monitoring and Balancing Exploration and Exploitation in Self-Taught Reasoners; hkust-nlp/B-STaR determine_hyper.py",
    family: "outcome",
    objective: ("negative_log_likelihood", &[]),
    formula: "balance = mean(min(n_right/8, 1) n_right/n_selected), selected = distinct among the top of score > threshold",
    fidelity: Fidelity::Reference,
    deviations: "equal scores in canonical order, where the reference shuffles; a missing step reward leaves the sample out",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan,
    ..crate::recipe::ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let threshold = parameters.number("threshold")?;
    let most = parameters.number("max_per_query")?;
    let (score, place) = (|| signal("score"), || signal("place"));
    let one = |condition: Expr| when(condition, 1.0, 0.0);
    let with_reference = parameters.boolean("reference")? && threshold < 1.0;
    let answered = if_present(signal("has_answer").equals(1.0), value(1.0).equals(1.0));
    let candidate = || signal("candidate");
    let ahead = if with_reference { one(score().less(1.0)) } else { value(0.0) };
    let taken = || signal("taken");
    let output = if_present(signal("output_id"), signal("response"));
    let again = rank(score(), group().and(output), false).over(trainable().only(taken()));
    // Samples that are at least as good come before the reference.
    let better = sum(one(candidate().and(score().at_least(1.0))), group());
    let reference = if with_reference { one(better.less(most)) } else { value(0.0).spread(ROLLOUT) };
    let right = signal("selected") * one(signal("reward").at_least(1.0));
    let (n_right, n_selected) = (|| signal("n_right"), || signal("n_selected"));
    let enough = (n_right() / parameters.number("target_correct")?).min(1.0);
    let queries = 1.0 / members(score(), group());
    Ok(Credit::new()
        .define(
            "score",
            parameters.number("step_weight")? * signal("step_rewards").reduce(ROLLOUT, Reduction::Min)
                + signal("reward"),
        )
        .define("candidate", answered.and(score().greater(threshold)))
        .define("place", rank(score(), group(), false).over(trainable().only(candidate())) + ahead)
        .define("taken", place().less(most).or_else(value(1.0).equals(0.0)))
        .define("selected", one(again.equals(0.0).or_else(value(1.0).equals(0.0))))
        .define("reference_selected", reference)
        .define("n_right", sum(right, group()) + signal("reference_selected"))
        .define("n_selected", sum(signal("selected"), group()) + signal("reference_selected"))
        .define("query_balance", (enough * n_right() / n_selected()).null_if(n_selected().equals(0.0)))
        .define("balance_score", mean(signal("query_balance"), batch()).weighted(queries))
        .advantage(signal("selected"))
        .weights(signal("selected"))
        .into())
}
