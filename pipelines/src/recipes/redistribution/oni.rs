//! ONI: intrinsic rewards for messages that a language model finds helpful, less each time a message comes again.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, STEP, history, index, mean, rank, rollout, signal, std, text, when,
};

use super::inputs::STEP_REWARDS;
use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::steps::indicator;
use crate::recipe::{Fidelity, REWARD, Recipe};

const INPUTS: &[Input] = &[
    STEP_REWARDS,
    input(
        "step_messages",
        Of::Text,
        "message or caption of each step's observation, empty where there is none",
        "an environment that describes what it shows, on import",
    ),
    input(
        "step_message_labels",
        Of::Share,
        "1 where a language model found the message helpful, 0 where not, null where it was not asked yet (labels=retrieval)",
        "a language model that labels messages beside the run, and a store of its answers",
    ),
    input(
        "step_message_probabilities",
        Of::Share,
        "probability that the message is helpful (labels=classification)",
        "a classifier that is trained on the labels so far",
    ),
    input(
        "step_message_scores",
        Of::Number,
        "score of the message (labels=ranking)",
        "a reward model that is trained on preferences between two messages",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "labels",
        "retrieval",
        "retrieval: step_message_labels; classification: step_message_probabilities above 1/2; ranking: step_message_scores, standardised over the run so far",
    ),
    parameter("c_ext", "0.1", "weight of the environment's reward; 10 for sparse goals"),
    parameter("c_llm", "0.4", "weight of the intrinsic reward"),
    parameter("b", "3", "power of the count that the intrinsic reward is divided by"),
    parameter("eps", "-0.5", "of labels=ranking: standardised scores below it count 0"),
];

/// ONI: `r_t = c_ext r_ext + c_llm r_llm(m_t) / N(m_t)^b`, where `N` counts how often the message has come in the
/// episode by now.
///
/// A message that is not labelled yet earns nothing, as in the reference, where it waits in the queue of the
/// labelling model; an empty message earns nothing either. Only policy steps count.
pub const ONI: Recipe = Recipe {
    name: "oni",
    title: "labels of messages as intrinsic reward, discounted by their count in the episode",
    citation: "Zheng et al. 2024, Online Intrinsic Rewards, arXiv 2410.23022; facebookresearch/oni",
    family: "redistribution",
    formula: "r_t = c_ext * r_ext + c_llm * r_llm(m_t) / N(m_t)^b",
    fidelity: Fidelity::Equations,
    deviations: "labels=ranking takes the running mean and deviation over all iterations so far",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let message = || signal("step_messages");
        let count = rank(index(STEP), rollout().and(message()), true) + 1.0;
        let helpful = when(message().equals(text("")), 0.0, helpfulness(parameters)?);
        let shaped = parameters.number("c_ext")? * signal("step_rewards")
            + parameters.number("c_llm")? * signal("step_intrinsic_rewards");
        Ok(Credit::new()
            .define("step_message_counts", count)
            .define(
                "step_intrinsic_rewards",
                helpful / signal("step_message_counts").power(parameters.number("b")?),
            )
            .define("step_shaped_rewards", shaped)
            .into())
    },
    ..REWARD
};

fn helpfulness(parameters: &Parameters) -> Result<Expr> {
    Ok(match parameters.text("labels")? {
        "retrieval" => signal("step_message_labels").or_else(0.0),
        "classification" => indicator(signal("step_message_probabilities").greater(0.5)),
        "ranking" => {
            let score = || signal("step_message_scores");
            let standard = (score() - mean(score(), history())) / (std(score(), history(), 0) + 1e-8);
            when(standard.clone().less(parameters.number("eps")?), 0.0, standard)
        }
        _ => return Err(parameters.unknown("labels", &["retrieval", "classification", "ranking"])),
    })
}
