//! FlowTracer: advantages amplified on the tokens through which the question's information flows to the
//! answer.

use std::sync::Arc;

use meed_operators::credit::{Credit, rollout, signal, top, value, when};
use meed_operators::signals::AttentionFlow;

use crate::inputs::{Input, Of, input, items};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::{GROUP, group_advantage};
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("amplification", "1.5", "factor of the advantage on chosen tokens; 1 is GRPO"),
    parameter("share", "0.4", "share of a rollout's tokens that is chosen, rounded down"),
    parameter("threshold", "0", "attention below it counts as none, where the flow is computed here"),
    parameter(
        "answer_tokens",
        "10",
        "trainable tokens at the end that are the answer, where it is computed here",
    ),
    parameter("answer", "null", "null, or the token column that is true in the answer instead"),
];

const INPUTS: &[Input] = &[
    input(
        "token_flow",
        Of::Number,
        "throughput of information from the question to the answer; or attention_mean instead",
        "the attention judge flow",
    ),
    items(
        "attention_mean",
        Of::Number,
        "flat lower triangle of the mean attention of all heads over prompt and rollout",
        "store it from a forward pass, or have token_flow judged by the attention judge flow",
    ),
];

/// `A_t = gamma_t A`, with gamma the amplification on the top share of a rollout's trainable tokens by flow,
/// and 1 elsewhere: everywhere where nothing of the question reaches the answer.
pub const FLOWTRACER: Recipe = Recipe {
    name: "flowtracer",
    title: "group-relative advantage, amplified on tokens that carry information to the answer",
    citation: "FlowTracer, arXiv 2606.10646",
    family: "tokens",
    formula: "A_t = gamma_t * A; gamma_t = amplification where t in top(flow_t), 1 elsewhere",
    fidelity: Fidelity::Reconstructed,
    deviations: "read from an abstract; guessed: the unit enters evenly over the prompt, share (that of preplan_anchor), threshold 0 and no renormalisation after pruning, the last answer_tokens trainable tokens as the answer",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let flow = || signal("token_flow");
        let carries = top(flow(), parameters.number("share")?, rollout()).and(flow().greater(0.0));
        let chosen = carries.or_else(value(0.0).equals(1.0));
        let credit = Credit::new()
            .define("token_gamma", when(chosen, parameters.number("amplification")?, 1.0))
            .define("group_advantage", group_advantage(parameters, signal("reward"))?)
            .advantage(signal("token_gamma") * signal("group_advantage"));
        let answer = parameters.text("answer")?;
        let operator = AttentionFlow {
            threshold: parameters.number("threshold")?,
            answer_tokens: usize::from(parameters.small("answer_tokens")?),
            answer: (!answer.is_empty()).then(|| answer.to_owned()),
        };
        Ok(Plan { operators: vec![Arc::new(operator)], credit, ..Plan::default() })
    },
    ..ADVANTAGE
};
