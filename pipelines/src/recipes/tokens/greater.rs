//! GReaTer: the token of a prompt is exchanged for the candidate that the answer's gradient points to.

use meed_operators::credit::{Credit, rank, rollout, signal, trainable, when};

use crate::inputs::{Input, Of, items};
use crate::parameters::{Parameter, parameter};
use crate::recipe::{Fidelity, Recipe, SELECTION};

const INPUTS: &[Input] = &[
    items(
        "candidate_gradients",
        Of::Number,
        "derivative of the answer's loss by the indicator of each candidate token at the position",
        "a learner that differentiates the answer's loss by the prompt's embeddings, or an import",
    ),
    items(
        "candidate_losses",
        Of::Number,
        "loss of the answer, after the reasoning, with each candidate in place",
        "a learner that scores the prompts, or an import",
    ),
];

const PARAMETERS: &[Parameter] =
    &[parameter("top", "3", "candidates of steepest descent whose loss is looked at")];

/// A row is one position of a prompt with its candidate tokens: the `top` candidates of smallest derivative
/// compete, and `candidate_chosen` is 1 at the one of smallest loss. Ties go to the first. Losses of candidates that do
/// not compete are not read.
pub const GREATER: Recipe = Recipe {
    name: "greater",
    title: "the candidate token of least loss among those that the gradient over the reasoning favours",
    citation: "Das et al. 2024, GReaTer: Gradients over Reasoning Makes Smaller Language Models Strong Prompt Optimizers, arXiv 2412.09722",
    family: "tokens",
    formula: "chosen = argmin loss(v) over the top candidates by -dL/d1[v]",
    fidelity: Fidelity::Reconstructed,
    deviations: "from the abstract: the number of candidates is a guess; proposing candidates and differentiating by embeddings is the learner's work, which gives both columns",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let steepest = rank(signal("candidate_gradients"), rollout(), true);
        let top = parameters.number("top")?;
        let competes = || signal("candidate_steepness").less(top);
        let place = rank(signal("candidate_losses"), rollout(), true).over(trainable().only(competes()));
        let first = when(place.equals(0.0), 1.0, 0.0);
        Ok(Credit::new()
            .define("candidate_steepness", steepest)
            .define("candidate_chosen", when(competes(), first, 0.0))
            .into())
    },
    ..SELECTION
};
