//! F-GRPO: a response that first names candidates and then ranks them, each phase credited by itself.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, Level, ROLLOUT, Reduction, Running, fetch, if_present, index, signal, when,
};

use crate::inputs::{Input, Of, input, items};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::{GROUP, group_advantage};
use crate::parts::steps::{indicator, truth};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    input(
        "phase_ends",
        Of::Count,
        "exclusive token offsets of the two phases: candidates, then ranking",
        "cut the response where the ranking begins; import it",
    ),
    items("slate_ids", Of::Text, "ids of the candidates that the response names", PARSED),
    items("ranked_ids", Of::Text, "ids in the order that the response gives", PARSED),
    items("gold_ids", Of::Text, "ids of the relevant items", "import them with the prompt"),
    input(
        "format_ok",
        Of::Flag,
        "whether the response keeps the format; without the column all do",
        "the judge `regex`, bound with --set format_ok=<signal>",
    ),
];
const PARSED: &str = "parse the response; an empty list where there is none";

const PARAMETERS: &[Parameter] = &[
    parameter("lambda", "1.0", "weight of the ranking phase"),
    parameter("coverage", "recall", "reward of the candidates: recall, f1"),
    parameter("k", "5", "ranks that count in the discounted gain"),
    parameter(
        "format_penalty",
        "1.0",
        "taken off both rewards where the format is broken or there is no candidate",
    ),
];

/// F-GRPO: `A_slate = z(coverage of the relevant items by the candidates)` on the tokens of the first phase and
/// `lambda z(NDCG@k)` on those of the second, where `z` centres in the group.
///
/// Ranked items that are no candidates count as irrelevant, repeated ones at their first rank; every list is one of
/// different items. A phase in which
/// the rollouts of the group agree gets 0 while the other still trains.
pub const F_GRPO: Recipe = Recipe {
    name: "f_grpo",
    title: "candidates and their ranking credited apart, each on its own tokens",
    citation: "Factorized Group-Relative Policy Optimization, arXiv 2605.12995",
    family: "turns",
    objective: ("gspo", &[("ratio", "equal_advantages"), ("clip_low", "0.2"), ("clip_high", "0.2")]),
    formula: "A = R_slate - mean(R_slate) on the first phase, lambda (R_rank - mean(R_rank)) on the second",
    fidelity: Fidelity::Equations,
    deviations: "phases of equal advantage share a ratio; guessed: the size of the format penalty, the clip range, equal means over tokens",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, &[UNSCALED, GROUP[1], GROUP[2], GROUP[3]]],
    plan: |parameters| {
        let format = if_present(signal("format_ok"), truth()).and(candidates().greater(0.0));
        let penalty = when(format, 0.0, parameters.number("format_penalty")?);
        let credit = Credit::new()
            .define("format_penalties", penalty)
            .define("slate_reward", coverage(parameters)? - signal("format_penalties"))
            .define("rank_reward", gain(parameters.number("k")?) - signal("format_penalties"))
            .define("slate_advantage", group_advantage(parameters, signal("slate_reward"))?)
            .define("rank_advantage", group_advantage(parameters, signal("rank_reward"))?);
        let first = index(Level::from("phase")).equals(0.0);
        let ranking = parameters.number("lambda")? * signal("rank_advantage");
        Ok(credit.advantage(when(first, signal("slate_advantage"), ranking)).into())
    },
    ..ADVANTAGE
};

const UNSCALED: Parameter = Parameter { default: "none", ..GROUP[0] };

/// True for the first item of each id. An item without an id is none.
fn is_first(level: &str, ids: &str) -> Expr {
    let first = fetch(index(Level::from(level)), signal(ids), signal(ids));
    first.equals(index(Level::from(level))).or_else(truth().negated())
}

/// Number of different items of a list, 0 without any.
fn different(level: &str, ids: &str) -> Expr {
    indicator(is_first(level, ids)).reduce(ROLLOUT, Reduction::Sum).empty(0.0)
}

fn candidates() -> Expr {
    different("slate", "slate_ids")
}

fn is_relevant() -> Expr {
    is_first("gold", "gold_ids")
}

/// Number of relevant items; null without any, when nothing is known of candidates and ranking.
fn relevant() -> Expr {
    let number = || different("gold", "gold_ids");
    number().null_if(number().equals(0.0))
}

/// True for the relevant items that are candidates.
fn is_named() -> Expr {
    is_relevant().and(position("slate", "slate_ids").is_null().negated())
}

/// Where each relevant item is found first.
fn position(level: &str, ids: &str) -> Expr {
    fetch(index(Level::from(level)), signal(ids), signal("gold_ids"))
}

fn coverage(parameters: &Parameters) -> Result<Expr> {
    let found = || indicator(is_named()).reduce(ROLLOUT, Reduction::Sum).empty(0.0);
    Ok(match parameters.text("coverage")? {
        "recall" => found() / relevant(),
        "f1" => 2.0 * found() / (relevant() + candidates()),
        _ => return Err(parameters.unknown("coverage", &["recall", "f1"])),
    })
}

/// The discounted gain over the greatest that the relevant items allow.
fn gain(k: f64) -> Expr {
    let discounted = |position: Expr| std::f64::consts::LN_2 / (position + 2.0).ln();
    let sum = |counts: Expr, position: Expr| {
        when(counts, discounted(position), 0.0).reduce(ROLLOUT, Reduction::Sum).empty(0.0)
    };
    let rank = || position("ranked", "ranked_ids").or_else(k);
    let best = || indicator(is_relevant()).scan(Running::Sum).exclusive();
    let greatest = sum(is_relevant().and(best().less(k)), best());
    sum(rank().less(k).and(is_named()), rank()) / greatest.null_if(relevant().is_null())
}
