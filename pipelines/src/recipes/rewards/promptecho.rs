//! PromptEcho: how likely a frozen model finds the prompt, given what was made of it.

use meed_operators::credit::{Credit, Reduction, signal};

use crate::inputs::{Input, Of, items};
use crate::parameters::Parameter;
use crate::parts::group::GROUP;
use crate::parts::shaped::{BASELINE, complete, credit_of};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[items(
    "echo_logprobs",
    Of::Number,
    "log-probability of each token of the prompt, under a frozen model that is shown the result and asked to caption it",
    "a vision-language model that scores the prompt after the image and a fixed question",
)];

const CENTRED: &[Parameter] = &[Parameter { default: "none", ..GROUP[0] }, GROUP[1], GROUP[2], GROUP[3]];

/// PromptEcho: `R = mean_j log p(y_j | result, question, y_<j)` over the prompt's tokens `y`, less its mean in the
/// group; nothing is divided by a deviation.
///
/// An empty prompt, or one with a token that was not scored, has no reward.
pub const PROMPTECHO: Recipe = Recipe {
    name: "promptecho",
    title: "likelihood of the prompt given the result, compared in the group",
    citation: "PromptEcho, arXiv 2604.12652; roooobotx/prompt_echo",
    family: "rewards",
    formula: "R = mean_j log p(y_j | result, query, y_<j); A = R - mean_group(R)",
    fidelity: Fidelity::Equations,
    deviations: "the authors train by AWM too, an objective that is not here",
    inputs: &[INPUTS],
    parameters: &[BASELINE, CENTRED],
    plan: |parameters| {
        let echo = complete(signal("echo_logprobs"), Reduction::Mean, None);
        Ok(credit_of(parameters, Credit::new(), echo)?.into())
    },
    ..ADVANTAGE
};
