//! BRPO: slices of a chain of thought are credited by the answers drawn at every budget after them.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, Level, Reduction, Running, TOKEN, count, fetch, group, index, mean, members, rollout,
    signal, value, values, when,
};

use crate::inputs::{Input, Of, input, items};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::recipe::{Fidelity, Plan, Recipe};

const INPUTS: &[Input] = &[
    items(
        "budget_tokens",
        Of::Count,
        "the budgets in tokens of the chain of thought, the same number for every rollout of a group",
        "the sampler that cuts chains of thought at budgets, or an import",
    ),
    input(
        "slice_ends",
        Of::Count,
        "ends of the slices of the chain of thought: the budgets, the last of them its length",
        "the sampler that cuts chains of thought at budgets, or an import",
    ),
    items(
        "answer_scores",
        Of::Share,
        "score of each answer, in the order of budgets and the same number for each; a chain that ends early has its answers for the later budgets drawn at its end",
        "a verifier on the answers: right and with exactly one end of thinking",
    ),
    input(
        "answer_starts",
        Of::Count,
        "first trained token of each answer, after its template",
        "the sampler",
    ),
    input("answer_ends", Of::Count, "token after each answer", "the sampler"),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "probability_kind",
        "uniform",
        "how likely each budget is: uniform; linear, as its tokens; base, all on the last",
    ),
    parameter("budget_probabilities", "null", "the probabilities, in place of the kind's"),
    parameter(
        "variance_reduction",
        "brpo",
        "baseline of slices: brpo; v1only: answers at earlier budgets; v2only: the group; none; notrain: the return itself, so that only answers are trained",
    ),
    parameter("summary_method", "brpo", "brpo: all answers are trained; grpo: only the very last one"),
];

/// BRPO: slice `s` gets the return `sum_{k >= s} P_k m_k` less a baseline, with the mean score `m_k` of
/// the answers at budget `k`; each answer gets its score less the mean of those drawn at the same cut.
///
/// The baseline is `(s last + (S - s) avg) / S`: `avg` the return's mean in the group (0 for a group of
/// one), `last` the scores before `s`, later ones with twice the weight, times the probability left. A
/// chain of thought that ends before a budget has its later answers merged into its last slice, which
/// has the advantage of the first budget that it reaches. With one answer per budget the answers'
/// baseline is the group's mean at that budget. Tokens of templates are masked; trainable tokens outside
/// slices and answers get 0.
pub const BRPO: Recipe = Recipe {
    name: "brpo",
    title: "returns over budgets for slices of a chain of thought, with prefix and group baselines",
    citation: "Optimizing Anytime Reasoning via Budget Relative Policy Optimization; sail-sg/AnytimeReasoner brpo.py",
    family: "outcome",
    formula: "A_s = ret_s - (s last_s + (S - s) mean(ret_s)) / S, ret = recur(P mean(answer scores))",
    fidelity: Fidelity::Reference,
    deviations: "",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan,
    ..crate::recipe::ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let (budget, slice, answer) = (Level::named("budget"), Level::named("slice"), Level::named("answer"));
    let (s, budgets) = (|| index(budget.clone()), || count(budget.clone()));
    let ret = || signal("slice_returns");
    let same_budget = || group().and(s());
    let drawn = || count(answer.clone()) / budgets();
    // 2^s outweighs everything before it.
    let doubled = || value(2.0).power(s());
    let earlier = (doubled() * signal("budget_scores")).scan(Running::Sum).exclusive()
        / doubled().scan(Running::Sum).exclusive();
    let left = signal("budget_probabilities").recur(1.0);
    let mixed = (s() * signal("slice_baseline_prefix") + (budgets() - s()) * signal("slice_baseline_group"))
        / budgets();
    let of_slices = match parameters.text("variance_reduction")? {
        "brpo" => signal("slice_advantages_brpo"),
        "v1only" => ret() - signal("slice_baseline_prefix"),
        "v2only" => ret() - signal("slice_baseline_group"),
        "none" => ret(),
        "notrain" => ret() * 0.0,
        _ => {
            let known = &["brpo", "v1only", "v2only", "none", "notrain"];
            return Err(parameters.unknown("variance_reduction", known));
        }
    };
    let cut = signal("answer_budgets").min(count(slice.clone()) - 1.0).floor();
    let scores = || signal("answer_scores");
    let baseline = when(
        drawn().equals(1.0),
        mean(scores(), group().and(signal("answer_budgets"))),
        mean(scores(), rollout().and(cut)),
    );
    let trained = match parameters.text("summary_method")? {
        "brpo" => value(1.0).spread(answer.clone()),
        "grpo" => when(index(answer.clone()).equals(count(answer.clone()) - 1.0), 1.0, 0.0),
        _ => return Err(parameters.unknown("summary_method", &["brpo", "grpo"])),
    };
    let inside = |level: &Level| index(level.clone()).spread(TOKEN).is_null().negated();
    let of_level = |of_slice: Expr, of_answer: Expr, otherwise: f64| {
        when(inside(&slice), of_slice, when(inside(&answer), of_answer, otherwise))
    };
    Ok(Credit::new()
        .define("answer_budgets", (index(answer.clone()) / drawn()).floor())
        .define("budget_scores", scores().place(budget.clone(), signal("answer_budgets"), Reduction::Mean))
        .define("budget_probabilities", probabilities(parameters, &budget)?)
        .define("slice_returns", (signal("budget_probabilities") * signal("budget_scores")).recur(1.0))
        .define("slice_baseline_prefix", when(s().equals(0.0), 0.0, earlier * left))
        .define(
            "slice_baseline_group",
            when(members(ret(), same_budget()).equals(1.0), 0.0, mean(ret(), same_budget())),
        )
        .define("slice_advantages_brpo", ret() - mixed)
        .define("slice_advantages", fetch(of_slices, s(), index(slice.clone())))
        .define("answer_trained", trained)
        .define("answer_advantages", signal("answer_trained") * (scores() - baseline))
        .advantage(of_level(signal("slice_advantages"), signal("answer_advantages"), 0.0))
        .weights(of_level(value(1.0), signal("answer_trained"), 1.0))
        .into())
}

/// How likely each budget is.
fn probabilities(parameters: &Parameters, budget: &Level) -> Result<Expr> {
    if let Some(given) = parameters.numbers("budget_probabilities")? {
        return Ok(values(budget.clone(), given));
    }
    let tokens = || signal("budget_tokens");
    Ok(match parameters.text("probability_kind")? {
        // A rollout without budgets is left out.
        "uniform" => 1.0 / count(budget.clone()) + 0.0 * tokens(),
        "linear" => tokens() / tokens().reduce(meed_operators::credit::ROLLOUT, Reduction::Sum),
        "base" => when(index(budget.clone()).equals(count(budget.clone()) - 1.0), 1.0, 0.0),
        _ => return Err(parameters.unknown("probability_kind", &["uniform", "linear", "base"])),
    })
}
