//! Rewards from how likely the reference answer is after the reasoning.

use meed_operators::Result;
use meed_operators::credit::{
    Center, Credit, Expr, Level, Norm, Reduction, Scale, count, group, if_present, maximum, mean, members,
    normalize, signal, softmax, value, when,
};

use crate::inputs::{Input, Of, input, items};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::shaped::complete;
use crate::recipe::{Fidelity, Plan, Recipe};

const INPUTS: &[Input] = &[
    items(
        "gold_token_logprobs",
        Of::Number,
        "log-probability of each token of the reference answer after the prompt and the reasoning",
        "import them, or join the judge `answer_likelihood` of the form in question (log_prob for jepo) in their place",
    ),
    input(
        "answer_likelihood",
        Of::Number,
        "the likelihood in the form in question, where the data has no gold_token_logprobs",
        "the judge `answer_likelihood` with the same form (log_prob for jepo)",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "form",
        "log_prob",
        "prob, avg_prob, log_prob, avg_log_prob: the likelihood as reward; jepo: the log of the group's mean likelihood; correct: the plain reward",
    ),
    parameter(
        "least_logprob",
        "-100",
        "log-probabilities below it count as it: an impossible token has none",
    ),
    parameter("pathwise", "false", "true: also gold_weights, the weights of the reference's own tokens"),
];

/// `A = r - mean of the others' r`, where `r` is a likelihood of the reference answer `a*` given the
/// reasoning: `prod p_t`, `mean p_t`, `sum log p_t` or `mean log p_t`.
///
/// JEPO: `A = log mean_j p_j - log mean_{j != i} p_j`. With `pathwise`, `gold_weights` are the factors of
/// `grad log p_t` on the tokens of `a*`, since the reward depends on the policy itself: `prod p`, `p_t /
/// n`, 1, `1 / n`, and `p_i / sum_j p_j` for JEPO. A group of one gets 0.
pub const LIKELIHOOD_REWARDS: Recipe = Recipe {
    name: "likelihood_rewards",
    title: "leave-one-out advantage of the likelihood of the reference answer",
    citation: "Likelihood-Based Reward Designs for General LLM Reasoning, arXiv 2602.03979",
    family: "outcome",
    formula: "A = r - mean(r of others), r = sum log p(a*_t | x, z)",
    fidelity: Fidelity::Equations,
    deviations: "the least log-probability is ours; the pathwise weights are derived from the rewards' definitions",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan,
    ..crate::recipe::ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let gold = Level::named("gold");
    let least = parameters.number("least_logprob")?;
    let logprobs = || signal("gold_token_logprobs").max(least);
    let each = || logprobs().exp();
    let tokens = || count(gold.clone());
    let total = || complete(logprobs(), Reduction::Sum, None);
    let judged = |given: Expr| if_present(given, signal("answer_likelihood"));
    let (reward, weights) = match parameters.text("form")? {
        "prob" => (judged(total().exp()), signal("rewards").spread(gold.clone())),
        "avg_prob" => (judged(complete(each(), Reduction::Mean, None)), each() / tokens()),
        "log_prob" => (judged(total()), value(1.0).spread(gold.clone())),
        "avg_log_prob" => {
            (judged(complete(logprobs(), Reduction::Mean, None)), (1.0 / tokens()).spread(gold.clone()))
        }
        "jepo" => (judged(total()), softmax(signal("rewards"), group()).spread(gold.clone())),
        "correct" => (signal("reward"), value(0.0).spread(gold.clone())),
        _ => {
            let known = &["prob", "avg_prob", "log_prob", "avg_log_prob", "jepo", "correct"];
            return Err(parameters.unknown("form", known));
        }
    };
    let leave_one_out =
        Norm { center: Center::LeaveOneOut(group()), scale: Scale::None, ..Norm::group_std(0.0) };
    let mut credit = Credit::new().define("rewards", reward);
    if parameters.boolean("pathwise")? {
        credit = credit.define("gold_weights", weights);
    }
    if parameters.text("form")? != "jepo" {
        return Ok(credit.advantage(normalize(signal("rewards"), &leave_one_out)).into());
    }
    let log = |mean: Expr| mean.max(f64::MIN_POSITIVE).ln();
    let (all, others) = (mean(relative(), group()), mean(relative(), group()).of_others());
    let alone = members(signal("rewards"), group()).equals(1.0);
    let lead = when(alone, signal("rewards") * 0.0, log(all.clone()) - log(others.or_else(1.0)));
    Ok(credit.define("group_reward", log(all) + maximum(signal("rewards"), group())).advantage(lead).into())
}

/// The likelihood over the greatest of the group.
fn relative() -> Expr {
    (signal("rewards") - maximum(signal("rewards"), group())).exp()
}
