//! SIOP: turns are rewarded by how likely they make the answers that a group agrees on, without a verifier.

use std::sync::Arc;

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, Level, Norm, ROLLOUT, Reduction, STEP, Singleton, TURN, ZeroStd, count, count_within,
    group, mean, members, normalize, return_to_go, signal, sum, when,
};
use meed_operators::signals::{AnswerClusters, Equivalence};

use crate::inputs::{Input, Of, input, items, pairs};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::turns::{SCALE, by_turn, policy_turns, scale};
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};

const INPUTS: &[Input] = &[
    input(
        "answer",
        Of::Text,
        "the final answer of the rollout; null or blank where it gives none",
        "a parser of responses, or an import",
    ),
    items(
        "entailment_answers",
        Of::Text,
        "the distinct answers of the group",
        "a model of entailment over the answers of a group; import its labels, or set equivalence=equal",
    ),
    items(
        "entailment_labels",
        Of::Count,
        "for each of entailment_answers whether the rollout's answer entails it: 2 yes, 1 neither, 0 contradicts it",
        "a model of entailment over the answers of a group; import its labels, or set equivalence=equal",
    ),
    items(
        "observation_evidence",
        Of::Number,
        "how far each observation entails the answer_reference of the rollout's cluster",
        "a model of entailment; import its scores, or set eta=0",
    ),
    items(
        "prompt_reference_logprobs",
        Of::Number,
        "mean log-probability of each of reference_texts after the prompt; without any for a rollout of one turn",
        "the judge `reference_logprobs`, after the operator `answer_clusters`",
    ),
    pairs(
        "step_reference_logprobs",
        Of::Number,
        "the same after each turn, on its last policy step; null where it is not finite",
        "the judge `reference_logprobs`, after the operator `answer_clusters`",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("lam", "0.5", "share of a cluster's weight that the last turn does not get"),
    parameter("eta", "1.0", "how much evidence counts for a cluster; 0: only its size counts"),
    parameter("num_refs", "3", "distinct answers of a cluster that stand for it"),
    parameter(
        "equivalence",
        "entailment",
        "when two answers are one: entailment (by labels, both ways), equal (the same text)",
    ),
    parameter(
        "strict_entailment",
        "true",
        "true: each entails the other; false: one entails the other, and none contradicts",
    ),
    parameter("gamma", "1.0", "discount per turn"),
    parameter(
        "advantage",
        "turn_level",
        "turn_level; broadcast: the sum of its turns compared for each rollout",
    ),
    parameter("singleton", "zero", "broadcast gives the only rollout of a group: zero, raw (its own sum)"),
    parameter("eps", "1e-6", "added to the deviation"),
    parameter("prob_eps", "1e-8", "added to probabilities inside the logarithm"),
];

/// SIOP: `r_t = q (ln(p_t + eps) - ln(p_{t-1} + eps))`, plus `(1 - lambda) q` at the last turn, with `p` the
/// mean probability of the cluster's references and `q = m exp(eta e) / sum`, the share of answers in the
/// cluster weighted by the evidence for them; `A_t = sum_{k >= t} gamma^(k-t) (r_k - mean) / std` over all
/// turns of the group.
///
/// A rollout without an answer has rewards of 0, which count; one without observations says nothing about
/// evidence. A difference of which one side is not known is 0, and so are those of a rollout of one turn.
/// `lambda` weighs the last turn only, as released. Null references are left out of a sum, but count in the
/// number that it is divided by.
pub const SIOP: Recipe = Recipe {
    name: "siop",
    title: "turns rewarded by the likelihood of the answers that a group agrees on",
    citation: "SIOP, arXiv 2605.04984; dl-m9/SIOP",
    family: "turns",
    objective: ("ppo_clip", &[("kl", r#"{"coef": 0.005}"#)]),
    formula: "r_t = q (ln p_t - ln p_{t-1}) + [last] (1 - lambda) q, q ~ m(c) exp(eta e(c)); A_t = sum_{k>=t} gamma^(k-t) z(r_k; group)",
    fidelity: Fidelity::Reference,
    deviations: "with advantage=broadcast the only rollout of a group gets 0, in the program its own sum (singleton=raw)",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, SCALE],
    plan,
    ..ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let clusters = AnswerClusters {
        equivalence: match parameters.text("equivalence")? {
            "entailment" => Equivalence::Entailment { strict: parameters.boolean("strict_entailment")? },
            "equal" => Equivalence::Equal,
            _ => return Err(parameters.unknown("equivalence", &["entailment", "equal"])),
        },
        references: parameters.number("num_refs")? as usize,
    };
    let unanswered = || signal("answer_given").negated();
    let cluster = || signal("cluster");
    let same_answer = || group().and(cluster());
    let share = members(cluster(), same_answer()) / members(cluster(), group());
    let eta = parameters.number("eta")?;
    let weight = if eta == 0.0 {
        share
    } else {
        let evidence = signal("observation_evidence").reduce(ROLLOUT, Reduction::Mean);
        share * (eta * mean(evidence, same_answer()).or_else(0.0)).exp()
    };
    let mean_of = |sum: Expr, number: Expr| sum / number;
    let before = mean_of(
        signal("prompt_reference_logprobs").exp().reduce(ROLLOUT, Reduction::Sum),
        count(Level::named("prompt")),
    );
    let after = mean_of(
        signal("step_reference_logprobs").exp().reduce(STEP, Reduction::Sum),
        count_within(Level::pair(&STEP, "reference"), STEP),
    );
    let prob_eps = parameters.number("prob_eps")?;
    let log = |x: Expr| (x + prob_eps).ln();
    let likelihood = || signal("turn_likelihoods");
    let change = log(likelihood()) - log(likelihood().shift(1, Some(signal("prompt_likelihood"))));
    let change = when(policy_turns().equals(1.0), 0.0, change.or_else(0.0));
    let last = (1.0 - parameters.number("lam")?) * signal("cluster_weights").at_last(TURN);
    let weights = signal("cluster_pull") / sum(signal("cluster_pull"), group()).once_per(cluster());
    let credit = Credit::new()
        .define("cluster", signal("answer_cluster").null_if(unanswered()))
        .define("cluster_pull", weight)
        .define("cluster_weights", when(unanswered(), 0.0, weights))
        .define("prompt_likelihood", before)
        .define("turn_likelihoods", by_turn(after))
        .define("turn_rewards", signal("cluster_weights") * change + last)
        .define("step_rewards", signal("turn_rewards").at_last(STEP));
    let norm = Norm {
        scale: scale(parameters)?,
        zero_std: ZeroStd::ZeroBelow(1e-6),
        ..Norm::group_std(parameters.number("eps")?)
    };
    let credit = match parameters.text("advantage")? {
        "turn_level" => {
            let rewards = normalize(signal("turn_rewards"), &norm);
            credit.advantage(return_to_go(rewards, parameters.number("gamma")?))
        }
        "broadcast" => {
            let singleton = match parameters.text("singleton")? {
                "zero" => Singleton::Zero,
                "raw" => Singleton::RawOverOnePlusEps,
                _ => return Err(parameters.unknown("singleton", &["zero", "raw"])),
            };
            let sums = signal("turn_rewards").reduce(ROLLOUT, Reduction::Sum);
            credit.advantage(normalize(sums, &Norm { singleton, ..norm }))
        }
        _ => return Err(parameters.unknown("advantage", &["turn_level", "broadcast"])),
    };
    Ok(Plan { operators: vec![Arc::new(clusters)], ..credit.into() })
}
