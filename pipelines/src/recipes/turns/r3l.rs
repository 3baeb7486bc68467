//! R3L: rollouts tried again from where they went wrong, credited from that pivot on.

use meed_operators::Result;
use meed_operators::credit::{By, Credit, Expr, group, mask, maximum, mean, members, signal, text, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::norm::trainable_tokens;
use crate::parts::steps::{indicator, on_tokens, policy_steps, steps_before, truth};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    input("kind", Of::Text, "base, retry, reflection or guided_retry", SAMPLED),
    input("parent_rollout_id", Of::Text, "the base of a retry, a reflection or a guided retry", SAMPLED),
    input(
        "retry_from_step",
        Of::Count,
        "policy step from which the base was tried again; null where it was not",
        SAMPLED,
    ),
    input(
        "reflection_outcome",
        Of::Text,
        "success, success_but_inefficient, failure or another word, of reflections (selection=decided)",
        "parse the reflection's answer",
    ),
];
const SAMPLED: &str = "sampling with the strategy `r3l`";

const PARAMETERS: &[Parameter] = &[
    parameter("baseline", "mean", "mean, or logavgexp: tau log mean exp(r / tau)"),
    parameter("tau", "1.0", "temperature of logavgexp"),
    parameter("amplify", "3.0", "factor of advantages above 0"),
    parameter(
        "full_reward",
        "1.0",
        "rollouts with at least this reward have advantage 1; null: no such rule",
    ),
    parameter(
        "selection",
        "given",
        "given: what is there was selected by the sampler; decided: every retry, reflection and guided retry is there, in the group of its base, and the recipe selects",
    ),
];

/// R3L: `s = r - baseline` in the group of base rollouts and retries; `A = 1` for a full success, `amplify s` above
/// 0, else `s`. The steps that a retry shares with its base have weight 0 in both, and in the guided copy.
///
/// A selected reflection or guided retry is a group of its own with reward 1, and alone a rollout has baseline 0.
/// A retry counts where the reflection names an earlier step of a rollout that it does not call a success; the
/// reflection and the guided copy count where the retry is a full success with more reward or fewer steps than the
/// base, and so does a reflection that rightly calls the base a success.
pub const R3L: Recipe = Recipe {
    name: "r3l",
    title: "positive advantages amplified, and retries credited from their pivot on",
    citation: "R^3L: Reflect-then-Retry Reinforcement Learning; shiweijiezero/R3L OPMDReweightAdvGroupAdvantage",
    family: "turns",
    objective: ("r3l", &[]),
    formula: "A = r >= 1 ? 1 : s >= 0 ? 3 s : s, s = r - mean(r, group); weight = [step >= pivot]",
    fidelity: Fidelity::Reference,
    deviations: "",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let amplify = parameters.number("amplify")?;
        let credit = match parameters.text("selection")? {
            "given" => {
                let pivot = signal("retry_from_step").null_if(is_kind("base"));
                Credit::new().define("selected", truth()).define("pivot", maximum(pivot, family()))
            }
            "decided" => decided(),
            _ => return Err(parameters.unknown("selection", &["given", "decided"])),
        };
        let reward = signal("reward").null_if(explores().negated());
        let known = explores().or(is_kind("reflection")).or(is_kind("guided_retry"));
        let score = when(explores(), reward, 1.0).null_if(known.and(signal("selected")).negated());
        let cohort = when(explores(), signal("group_id"), signal("rollout_id"));
        let gain = || signal("rewards") - signal("baseline");
        let amplified = when(gain().at_least(0.0), amplify * gain(), gain());
        let advantage = match parameters.optional_number("full_reward")? {
            Some(full) => when(signal("rewards").at_least(full), 1.0, amplified),
            None => amplified,
        };
        let trained = mask().and(on_tokens(steps_before(), 0.0).at_least(signal("pivot").or_else(0.0)));
        let credit = credit
            .define("rewards", score)
            .in_baseline(trainable_tokens().greater(0.0).and(signal("rewards").is_null().negated()))
            .define("cohort", cohort)
            .define("baseline", baseline(parameters)?)
            .define("token_train_mask", trained)
            .weights(indicator(signal("token_train_mask")));
        Ok(credit.advantage(when(signal("token_train_mask"), advantage, 0.0)).into())
    },
    ..ADVANTAGE
};

fn is_kind(kind: &str) -> Expr {
    signal("kind").equals(text(kind))
}

/// True for base rollouts and retries, which are compared with each other.
fn explores() -> Expr {
    is_kind("base").or(is_kind("retry"))
}

/// A base rollout with what was made of it.
fn family() -> By {
    group().and(signal("parent_rollout_id").or_else(signal("rollout_id")))
}

fn baseline(parameters: &Parameters) -> Result<Expr> {
    let tau = parameters.number("tau")?;
    let (score, cohort) = (|| signal("rewards"), || group().and(signal("cohort")));
    let center = match parameters.text("baseline")? {
        "mean" => mean(score(), cohort()),
        "logavgexp" => {
            let greatest = || maximum(score(), cohort());
            greatest() + tau * mean(((score() - greatest()) / tau).exp(), cohort()).ln()
        }
        _ => return Err(parameters.unknown("baseline", &["mean", "logavgexp"])),
    };
    Ok(when(members(score(), cohort()).equals(1.0), 0.0, center))
}

/// Selects by what base, reflection and retry of a family say.
fn decided() -> Credit {
    let of = |kind: &str, x: Expr| maximum(x.null_if(is_kind(kind).negated()), family());
    let reward = |kind: &str| of(kind, signal("reward"));
    let steps = |kind: &str| of(kind, policy_steps());
    let no = || truth().negated();
    let says = |word: &str| signal("reflection_outcome").equals(text(word)).or_else(no());
    let names_step = says("failure").or(says("success_but_inefficient"));
    let pivot = of("reflection", signal("retry_from_step").null_if(names_step.negated()));
    let full = |kind: &str| reward(kind).at_least(1.0);
    let improved = full("retry")
        .and(reward("retry").greater(reward("base")).or(steps("retry").less(steps("base"))))
        .or_else(no());
    let praised = full("base").and(says("success"));
    let (retried, improves) = (|| signal("retried"), || signal("improves"));
    let by_kind = when(
        is_kind("reflection"),
        when(retried(), improves(), praised),
        when(is_kind("guided_retry"), improves(), retried().or(is_kind("base"))),
    );
    let applies = retried().and(is_kind("reflection").negated());
    Credit::new()
        .define(
            "retried",
            pivot.clone().less(steps("base")).and(reward("retry").is_null().negated()).or_else(no()),
        )
        .define("improves", retried().and(improved))
        .define("selected", by_kind.or_else(no()))
        .define("pivot", pivot.null_if(applies.negated()))
}
