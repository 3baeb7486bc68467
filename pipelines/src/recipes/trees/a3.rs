//! A3: steps of an agent at a command line, compared by what their commands intend.

use std::sync::Arc;

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, Level, ROLLOUT, Reduction, STEP, Statistic, aggregate, batch, group, index_within, mean,
    members, signal, value, when,
};
use meed_operators::signals::IntentLabels;

use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::steps::steps_before;
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter(
        "scopes",
        "[1, 2, 3, -1]",
        "how many commands up to a step are compared; -1: all of the rollout",
    ),
    parameter("scope_weights", "[0.25, 0.25, 0.25, 0.25]", "weight of each scope, of any sum"),
    parameter("trie_min_count", "2", "rollouts per cluster of intents"),
    parameter("match_tau", "0.05", "greatest difference of labels that count as equal"),
    parameter("time_decay", "0.84", "weight of a step's labels relative to those of the step before"),
    parameter("decision_gamma", "0.9", "discount of later decisions per step"),
    parameter("support_prior", "0.1", "rollouts that an action counts as less than it has"),
    parameter("min_scale", "0.5", "least deviation that an outcome is divided by"),
    parameter("weight_trie", "0.65", "weight of the comparison inside clusters"),
    parameter("weight_tree", "1.0", "weight of the decisions"),
    parameter("bound", "1.1", "advantages lie within it"),
    parameter("eps", "1e-6", "added to deviations and counts"),
];

/// Added to the mean sizes that the three parts are divided by.
const LEAST: f64 = 1e-9;

/// A3: `A = B tanh((b + w_trie tr + w_tree tree) / B)`, each part first divided by its mean size over the steps of
/// the batch.
///
/// `step_backbone` is `b = tanh((R - median) / max(1.4826 MAD, min_scale))` in the group. `step_trie` is the same of
/// `sum_L w_L (R - mean of the others of the cluster at scope L)` at the rollout's first step. `step_tree` sums up
/// later decisions: where a state has several actions, `n / (n + c) (mean R of the action - mean R of the state)`,
/// discounted and weighed by their support. Medians are lower ones.
///
/// Ties of the clustering follow the canonical order; the released code takes them in the order of a set of texts.
pub const A3: Recipe = Recipe {
    name: "a3",
    title: "robust group score, clusters of command intents, and decisions in equal states",
    citation: "Learning CLI Agents with Structured Action Credit, arXiv 2605.08013; compute_A3_algo_advantage",
    family: "trees",
    objective: ("a3", &[]),
    formula: "A = B tanh((b / mean|b| + w_trie tr / mean|tr| + w_tree tree / mean|tree|) / B)",
    fidelity: Fidelity::Reference,
    deviations: "ties of the single linkage follow the canonical order, where the released code's depend on a hash seed; a rollout with a step without command is left out",
    inputs: &[],
    parameters: &[PARAMETERS],
    plan,
    ..ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let (labels, weights) = labels(parameters)?;
    let (eps, prior) = (parameters.number("eps")?, parameters.number("support_prior")?);
    let (gamma, bound) = (parameters.number("decision_gamma")?, parameters.number("bound")?);
    let least = parameters.number("min_scale")?;
    let robust = |x: Expr| {
        let median = |x: Expr| aggregate(Statistic::MedianLower, x, group());
        let centred = x.clone() - median(x);
        let scale = (median(centred.clone().abs()) * 1.4826).max(least) + eps;
        (centred / scale).tanh()
    };
    let state = || group().and(signal("step_decision_states"));
    let action = || state().and(signal("step_decision_actions"));
    let reward = || signal("reward").spread(STEP);
    let count = members(reward(), action());
    let support = count.clone() / (count + prior + eps);
    let actions = aggregate(Statistic::Distinct, signal("step_decision_actions"), state());
    let decides = || actions.clone().at_least(2.0);
    let gain = signal("step_supports") * (mean(reward(), action()) - mean(reward(), state()));
    let total_support = || signal("step_supports").recur(gamma);
    let sized = |part: Expr| part.clone() / (mean(part.abs(), batch()) + LEAST);
    let credit = Credit::new()
        .define("step_backbone", robust(signal("reward")).spread(STEP))
        .define("residual", residual(&weights).reduce(ROLLOUT, Reduction::First))
        .define("step_trie", robust(signal("residual")).spread(STEP))
        .define("step_supports", when(decides(), support, 0.0))
        .define("step_gains", when(decides(), gain, 0.0))
        .define(
            "step_tree",
            total_support() / (total_support() + prior + eps) * signal("step_gains").recur(gamma),
        );
    let merged = sized(signal("step_backbone"))
        + parameters.number("weight_trie")? * sized(signal("step_trie"))
        + parameters.number("weight_tree")? * sized(signal("step_tree"));
    let credit = credit.advantage(bound * (merged / bound).tanh());
    Ok(Plan { operators: vec![Arc::new(labels)], ..credit.into() })
}

/// Per step, the mean over scopes of the outcome less that of the others in the step's cluster; 0 for one that is
/// alone there.
fn residual(weights: &[f64]) -> Expr {
    let level = Level::pair(&STEP, "scope");
    let scope = || index_within(level.clone(), STEP);
    let reward = || signal("reward").spread(level.clone());
    let cluster = group().and(steps_before()).and(scope()).and(signal("step_scope_labels"));
    let others = mean(reward(), cluster).of_others().or_else(reward());
    let total: f64 = weights.iter().sum();
    let weight = weights.iter().enumerate().fold(value(0.0), |otherwise, (at, weight)| {
        when(scope().equals(at as f64), weight / total, otherwise)
    });
    (weight * (reward() - others)).reduce(STEP, Reduction::Sum)
}

fn labels(parameters: &Parameters) -> Result<(IntentLabels, Vec<f64>)> {
    let scopes = parameters.numbers("scopes")?.unwrap_or_default();
    let weights = parameters.numbers("scope_weights")?.unwrap_or_default();
    if scopes.is_empty() || scopes.iter().any(|&scope| scope.fract() != 0.0 || (scope < 1.0 && scope != -1.0))
    {
        return Err(parameters.unknown("scopes", &["a list of numbers of commands, and -1 for all"]));
    }
    if weights.len() != scopes.len()
        || weights.iter().any(|weight| *weight < 0.0)
        || weights.iter().sum::<f64>() <= 0.0
    {
        return Err(parameters.unknown("scope_weights", &["one weight per scope"]));
    }
    let labels = IntentLabels {
        scopes: scopes.into_iter().map(|scope| scope as i64).collect(),
        weights: weights.clone(),
        members: usize::from(parameters.small("trie_min_count")?),
        tolerance: parameters.number("match_tau")?,
        decay: parameters.number("time_decay")?,
        value: "reward".into(),
    };
    Ok((labels, weights))
}
