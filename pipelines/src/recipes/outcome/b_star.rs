//! B-STaR: rejection fine-tuning on what a balance of exploration and exploitation selects.

use std::sync::Arc;

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, ROLLOUT, Reduction, batch, group, if_present, mean, members, rank, signal, sum, trainable,
    value, when,
};

use meed_operators::sample::ThresholdSearch;
use meed_operators::signals::BalanceThreshold;

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::shaped::complete;
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
    parameter("threshold", "0.0", "only scores above it are selected"),
    parameter("max_per_query", "64", "most samples of a prompt, duplicates included"),
    parameter("target_correct", "8", "right samples of a prompt that are enough"),
    parameter("step_weight", "0.2", "weight of the least step reward in the score"),
    parameter("reference", "true", "the reference solution competes too, right and with score 1"),
    parameter(
        "search",
        "false",
        "true: the iteration's best threshold, and the samples per prompt that it needs",
    ),
    parameter("target_size", "1000", "search: selected samples that are enough, over all prompts"),
    parameter("threshold_from", "-1.0", "search: the first threshold"),
    parameter("threshold_to", "1.0", "search: no threshold is greater"),
    parameter("threshold_step", "0.01", "search: from a threshold to the next"),
    parameter("max_samples", "64", "search: most samples per prompt"),
];

/// B-STaR: `score = min(step rewards) / 5 + [right]`; the best `max_per_query` above the threshold are
/// selected, of equal outputs one, and trained on by their likelihood.
///
/// `query_balance` is `min(n_right / target, 1) n_right / n_selected`, and `balance_score` its mean over
/// the prompts with a selected sample, null without any. The reference solution competes for places and
/// counts as right (score 1, behind samples of equal score), but is no rollout: its row is trained
/// beside these where `reference_selected`. Duplicates are merged after the cut, so that fewer may be
/// left. With `search` the threshold is the first one with the iteration's highest balance score, and the
/// samples per prompt as few as give `target_size`; temperatures are compared by that score.
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
    let search = parameters.boolean("search")?;
    let competes = parameters.boolean("reference")?;
    let (threshold, most) = (|| signal("threshold"), || signal("most"));
    let (score, place) = (|| signal("score"), || signal("place"));
    let (no, yes) = (|| value(1.0).equals(0.0), || value(1.0).equals(1.0));
    let one = |condition: Expr| when(condition, 1.0, 0.0);
    let scored = parameters.number("step_weight")? * complete(signal("step_rewards"), Reduction::Min, None)
        + signal("reward");
    let answered = || if_present(signal("has_answer").equals(1.0), yes());
    let output = || if_present(signal("output_id"), signal("response"));
    let right = || signal("reward").at_least(1.0);
    let candidate = || signal("candidate");
    // Samples that are at least as good come before the reference solution.
    let ahead = if competes { one(score().less(1.0)) } else { value(0.0) };
    let better = sum(one(candidate().and(score().at_least(1.0))), group());
    let reference = if competes {
        one(better.less(most()).and(threshold().less(1.0)))
    } else {
        value(0.0).spread(ROLLOUT)
    };
    let again = rank(score(), group().and(output()), false).over(trainable().only(signal("taken")));
    let (n_right, n_selected) = (|| signal("n_right"), || signal("n_selected"));
    let enough = (n_right() / parameters.number("target_correct")?).min(1.0);
    let queries = 1.0 / members(score(), group()).max(1.0);
    let given = |name: &str, found: &str| -> Result<Expr> {
        Ok(if search { signal(found) } else { value(parameters.number(name)?).spread(ROLLOUT) })
    };
    let credit = Credit::new()
        .define("threshold", given("threshold", "balance_threshold")?)
        .define("most", given("max_per_query", "balance_most")?)
        .define("score", scored.clone())
        .define("candidate", answered().and(score().greater(threshold())))
        .define("place", rank(score(), group(), false).over(trainable().only(candidate())) + ahead)
        .define("taken", place().less(most()).or_else(no()))
        .define("selected", one(again.equals(0.0).or_else(no())))
        .define("reference_selected", reference)
        .define("n_right", sum(signal("selected") * one(right()), group()) + signal("reference_selected"))
        .define("n_selected", sum(signal("selected"), group()) + signal("reference_selected"))
        .define("query_balance", (enough * n_right() / n_selected()).null_if(n_selected().equals(0.0)))
        .define("balance_score", mean(signal("query_balance"), batch()).weighted(queries))
        .advantage(signal("selected"))
        .weights(signal("selected"));
    if !search {
        return Ok(credit.into());
    }
    let count = |name: &str| parameters.number(name).map(|number| number as usize);
    let found = BalanceThreshold {
        search: ThresholdSearch {
            target_size: count("target_size")?,
            from: parameters.number("threshold_from")?,
            to: parameters.number("threshold_to")?,
            step: parameters.number("threshold_step")?,
            max_samples: count("max_samples")?,
            target_correct: count("target_correct")?,
        },
        score: scored.null_if(answered().negated()),
        right: right(),
        output: output(),
        reference: competes,
    };
    Ok(Plan { gathers: vec![Arc::new(found)], ..credit.into() })
}
