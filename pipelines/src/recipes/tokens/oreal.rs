//! OREAL: leave-one-out advantages, one correct and one incorrect rollout per group, and weights of their
//! tokens from a token-level reward model.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, Members, Norm, ROLLOUT, Running, Singleton, group, if_present, leave_one_out, maximum,
    members, minimum, normalize, random, rank, rollout, signal, trainable, value, when,
};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::norm::trainable_tokens;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("shaping", "rloo", "rloo: reward minus the mean of the others; grpo: z-score of the group"),
    parameter("eps", "1e-8", "added to the deviation, in grpo"),
    parameter(
        "selection",
        "pair",
        "pair: of each group with both kinds, one correct and one incorrect rollout at random; all: every rollout",
    ),
    parameter("seed", "0", "of the draws"),
    parameter("rescale", "threshold", "how probabilities become weights: threshold, topk"),
    parameter("threshold_correct", "0.5", "probability of weight 0 in correct rollouts"),
    parameter("threshold_incorrect", "0.5", "the same in incorrect rollouts"),
    parameter("topk_correct", "0.5", "share of a correct rollout's tokens that has a weight"),
    parameter("topk_incorrect", "0.5", "the same in incorrect rollouts"),
];

const INPUTS: &[Input] = &[input(
    "token_rm_logits",
    Of::Number,
    "what the token-level reward model says where it predicts the token; all weights are 1 without it",
    "the learned judge of the objective oreal",
)];

/// OREAL: `A_i = r_i - mean(r_j, j != i)` of rewards 1 and -1, and
/// `token_weights = clamp((s_t - h) / (1 - h), 0, 1)` of `s_t = sigmoid(mean(w_1..w_t))` in correct rollouts,
/// of `1 - s_t` in incorrect ones.
///
/// A rollout without a reward counts as incorrect. What is not selected has null weights, and so is not in
/// the loss; neither is a group of one, whose advantage is NaN in the reference. The objective `oreal` weighs
/// tokens itself, by the logits of the reward model that it trains, so `token_weights` are no loss weights.
pub const OREAL: Recipe = Recipe {
    name: "oreal",
    title: "leave-one-out advantage of a correct and an incorrect rollout per group, with token weights",
    citation: "Lyu et al. 2025, OREAL, arXiv 2502.06781; InternLM/OREAL train_oreal.py",
    family: "tokens",
    objective: ("oreal", &[]),
    formula: "A_i = r_i - mean(r_j, j != i); token_weights = clamp((sigmoid(mean(w_1..w_t)) - h) / (1 - h), 0, 1)",
    fidelity: Fidelity::Reference,
    deviations: "a group of one is not trained on, where the reference gives NaN; where topk selects no token every weight is 0, where the reference fails",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let reward = || signal("score");
        let shaped = match parameters.text("shaping")? {
            "rloo" => reward() - leave_one_out(reward(), group()),
            "grpo" => {
                let norm = Norm::group_std(parameters.number("eps")?);
                normalize(reward(), &Norm { singleton: Singleton::Null, ..norm })
            }
            _ => return Err(parameters.unknown("shaping", &["rloo", "grpo"])),
        };
        let credit = Credit::new()
            .define("score", signal("reward").or_else(-1.0))
            .define("correct", reward().greater(0.0))
            .define("selected", selected(parameters)?)
            .define("token_weights", if_present(token_weights(parameters)?, value(1.0)))
            .weights(value(1.0).null_if(signal("selected").negated()));
        Ok(credit.advantage(shaped).into())
    },
    ..ADVANTAGE
};

/// Which rollouts are trained on.
fn selected(parameters: &Parameters) -> Result<Expr> {
    let correct = || signal("correct");
    let kinds = || [correct(), correct().negated()].map(|kind| trainable().only(kind));
    let has = |kind: Members| members(signal("score"), group()).over(kind).or_else(0.0).greater(0.0);
    match parameters.text("selection")? {
        "all" => Ok(value(1.0).equals(1.0)),
        "pair" => {
            let seed = parameters.get("seed").as_u64();
            let seed = seed.ok_or_else(|| parameters.unknown("seed", &["a whole number"]))?;
            let first = |kind: Members| {
                let place = rank(random(ROLLOUT, seed), group(), true).over(kind);
                place.equals(0.0).or_else(value(0.0).equals(1.0))
            };
            let [right, wrong] = kinds().map(first);
            let [any_right, any_wrong] = kinds().map(has);
            Ok(right.or(wrong).and(any_right.and(any_wrong)))
        }
        _ => Err(parameters.unknown("selection", &["pair", "all"])),
    }
}

fn token_weights(parameters: &Parameters) -> Result<Expr> {
    let number = |correct: &str, incorrect: &str| -> Result<Expr> {
        Ok(when(signal("correct"), parameters.number(correct)?, parameters.number(incorrect)?))
    };
    let right = signal("token_rm_logits").scan(Running::Mean).sigmoid();
    let wanted = when(signal("correct"), right.clone(), 1.0 - right);
    match parameters.text("rescale")? {
        "threshold" => {
            let threshold = number("threshold_correct", "threshold_incorrect")?;
            Ok(((wanted - threshold.clone()) / (1.0 - threshold)).clamp(0.0, 1.0))
        }
        "topk" => {
            let kept = (trainable_tokens() * number("topk_correct", "topk_incorrect")?).floor();
            let chosen = rank(wanted.clone(), rollout(), false).less(kept);
            let most = maximum(wanted.clone(), rollout());
            let least = minimum(wanted.clone(), rollout()).over(trainable().only(chosen.clone()));
            let scaled = (wanted - least.clone()) / (most.clone() - least.clone());
            Ok(when(chosen, when(most.equals(least), 1.0, scaled), 0.0))
        }
        _ => Err(parameters.unknown("rescale", &["threshold", "topk"])),
    }
}
