//! D3S: the rollouts whose advantages vary most, and in them the tokens that matter most.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, Statistic, TOKEN, aggregate, batch, maximum, members, progress, rank, signal, sum,
    trainable, value, when,
};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::{GROUP, group_advantage};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("rollouts_initial", "0.5", "share of the batch's rollouts that is kept at the start"),
    parameter("rollouts_final", "1.0", "the same at the end"),
    parameter("tokens_initial", "0.2", "share of the kept rollouts' tokens that is kept at the start"),
    parameter("tokens_final", "1.0", "the same at the end"),
    parameter("start", "0", "iteration up to which the shares are the initial ones"),
    parameter("end", "100", "iteration from which on they are the final ones; between they change linearly"),
];

const INPUTS: &[Input] = &[input(
    "token_entropies",
    Of::Number,
    "entropy of the policy at the token; not needed where all tokens are kept",
    "the sampler records it",
)];

/// D3S: `weights = 1` in the `N` rollouts of the batch whose group-relative advantages have the greatest
/// variance, on the `K` tokens of these with the greatest `|A| H`; 0 elsewhere. The subset is always the `a`
/// largest and `N - a` smallest advantages. `N` and `K` are shares, rounded; ties are in canonical order.
///
/// A batch in which every advantage is 0 is kept as it is. With shares of 1 it is GRPO.
pub const D3S: Recipe = Recipe {
    name: "d3s",
    title: "group-relative advantage on the rollouts that vary most and their tokens of greatest |A| H",
    citation: "Learning More with Less (D3S), arXiv 2509.22115",
    family: "tokens",
    formula: "weights = max_variance_subset(A, N, by(batch)) and top(|A| * H, K, by(batch)); A = (r - mean(r)) / (std(r) + eps)",
    fidelity: Fidelity::Reconstructed,
    deviations: "guessed: all four shares, start and end of the schedule, rounding, ties in canonical order, the batch as the pool of tokens, a batch of zeros kept whole",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let advantage = || signal("group_advantage");
        let credit = Credit::new()
            .define("group_advantage", group_advantage(parameters, signal("reward"))?)
            .define("selected", selected(parameters)?)
            .weights(kept(parameters)?);
        Ok(credit.advantage(advantage()).into())
    },
    ..ADVANTAGE
};

/// True in the rollouts that are kept.
fn selected(parameters: &Parameters) -> Result<Expr> {
    let always = || value(1.0).equals(1.0);
    if is_whole(parameters, "rollouts")? {
        return Ok(always());
    }
    let advantage = || signal("group_advantage");
    let share = share(parameters, "rollouts")?;
    let size = (sum(advantage() * 0.0 + share.clone(), batch()) + 0.5).floor();
    let upper = aggregate(Statistic::UpperPart, advantage(), batch()).weighted(share);
    let largest = rank(advantage(), batch(), false).less(upper.clone());
    let smallest = rank(advantage(), batch(), true).less(size - upper);
    let nothing = maximum(advantage().abs(), batch()).equals(0.0);
    Ok(largest.or(smallest).or(nothing))
}

/// True at the tokens that are kept.
fn kept(parameters: &Parameters) -> Result<Expr> {
    let selected = || when(signal("selected"), 1.0, 0.0);
    if is_whole(parameters, "tokens")? {
        return Ok(selected());
    }
    let score = signal("group_advantage").abs() * signal("token_entropies");
    let pool = || trainable().only(signal("selected"));
    let size = members(score.clone(), batch()).over(pool()) * share(parameters, "tokens")?;
    let place = rank(score, batch(), false).over(pool());
    let nothing = maximum(signal("group_advantage").abs(), batch()).equals(0.0);
    let kept = place.less((size + 0.5).floor()).or_else(value(0.0).equals(1.0)).or(nothing);
    Ok(selected() * when(kept.spread(TOKEN), 1.0, 0.0))
}

fn is_whole(parameters: &Parameters, what: &str) -> Result<bool> {
    Ok(parameters.number(&format!("{what}_initial"))? >= 1.0
        && parameters.number(&format!("{what}_final"))? >= 1.0)
}

/// The share that the schedule gives in the rollout's iteration.
fn share(parameters: &Parameters, what: &str) -> Result<Expr> {
    let (first, last) =
        (parameters.number(&format!("{what}_initial"))?, parameters.number(&format!("{what}_final"))?);
    let progress = progress(parameters.number("start")?, parameters.number("end")?);
    Ok(first + (last - first) * progress)
}
