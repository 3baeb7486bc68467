//! GTAlign: the welfare of user and model together, as its product, normalised per source of prompts.

use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, Reduction, TOKEN, signal, when};

use crate::inputs::{Input, Of, input, items};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::dense::{ESTIMATE, estimated};
use crate::parts::shaped::complete;
use crate::parts::sources::{DATA_SOURCE, SOURCES, by_source};
use crate::parts::steps::indicator;
use crate::parts::whitening::{WHITEN_ON, WHITENING};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    input("answer_score", Of::Share, "how right the answer is", "a verifier, or a judge of the task"),
    input("format_ok", Of::Flag, "whether all four blocks are there", PARSED),
    input("response_words", Of::Count, "words of the block for the user", PARSED),
    input("text_words", Of::Count, "words of the whole text", PARSED),
    input("reasoning_characters", Of::Count, "characters before the block for the user", PARSED),
    items("payoff_user", Of::Number, "payoffs that the response writes for the user, one per cell", PARSED),
    items("payoff_model", Of::Number, "payoffs that it writes for the model, one per cell", PARSED),
    DATA_SOURCE,
];
const PARSED: &str = "parse the blocks of the response: thinking, payoff, analyze, response; a block that is missing has 0 words and no payoffs";

const PARAMETERS: &[Parameter] = &[
    parameter("steepness", "0.005", "of the logistic bounds on lengths"),
    parameter("penalty_length", "500", "characters of reasoning at which its bonus has fallen to 1/e"),
    parameter("response_length", "[20, 500]", "words that the block for the user should have"),
    parameter("text_length", "[500, 1000]", "words that the whole text should have"),
    parameter("payoff_cells", "6", "cells of the payoff matrix"),
    parameter("least_gap", "0.1", "relative difference of a cell's payoffs that counts as one"),
];

/// GTAlign: `r = sqrt(u l)` with `u = eps + 0.5 answer + 0.2 L(response) + 0.3 exp(-reasoning / 500)` and `l = eps +
/// 0.2 format + 0.2 payoff + 0.4 answer + 0.2 L(text)`; `L = sigmoid(k (n - m)) sigmoid(k (M - n))`.
///
/// A cell of the payoff matrix earns a half where its payoffs differ and a half where they differ by more than a
/// tenth of the larger; a response without its blocks gets 0. A rollout whose judge failed is left out, where the
/// released code sets the whole batch to 0, and sources are told apart, where it sees one.
pub const GTALIGN: Recipe = Recipe {
    name: "gtalign",
    title: "the geometric mean of the user's and the model's utility",
    citation: "GTAlign: Game-Theoretic Alignment of LLM Assistants for Mutual Welfare; ulab-uiuc/GTAlign gamellm.py",
    family: "rewards",
    objective: ("ppo_clip", &[("value_coef", "0.5")]),
    formula: "r = sqrt(u l), u = 0.5 ans + 0.2 L(response) + 0.3 brevity, l = 0.2 fmt + 0.2 payoff + 0.4 ans + 0.2 L(text)",
    fidelity: Fidelity::Equations,
    deviations: "lengths and blocks are parsed before; the normaliser that maps quantiles of a source to those of the batch is not built; guessed: a source whose median deviation is 0 is only centred",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, SOURCES, ESTIMATE, &[WHITEN_ON], WHITENING],
    plan: |parameters| {
        let answer = || signal("answer_score");
        let brevity = (-(signal("reasoning_characters") / parameters.number("penalty_length")?)).exp();
        let user = 0.5 * answer() + 0.2 * length(parameters, "response")? + 0.3 * brevity;
        let own = 0.2 * indicator(signal("format_ok")) + 0.2 * signal("payoff_reward");
        let model = own + 0.4 * answer() + 0.2 * length(parameters, "text")?;
        let welfare = (signal("user_utility") * signal("model_utility")).sqrt();
        let credit = Credit::new()
            .define("payoff_reward", payoff(parameters)?)
            .define("user_utility", user + EPS)
            .define("model_utility", model + EPS)
            .define("welfare", when(signal("format_ok"), welfare, 0.0));
        let credit = credit.define("rewards", by_source(parameters, signal("welfare"))?);
        Ok(estimated(parameters, credit, signal("rewards").at_last(TOKEN))?.into())
    },
    ..ADVANTAGE
};

/// Added to both utilities.
const EPS: f64 = 1e-4;

/// 1 well inside the bounds of a length, 0 far outside.
fn length(parameters: &Parameters, of: &str) -> Result<Expr> {
    let name = format!("{of}_length");
    let bounds = parameters.numbers(&name)?;
    let Some(&[least, most]) = bounds.as_deref() else {
        return Err(parameters.unknown(&name, &["[least, most]"]));
    };
    let steepness = parameters.number("steepness")?;
    let words = || signal(format!("{of}_words"));
    Ok((steepness * (words() - least)).sigmoid() * (steepness * (most - words())).sigmoid())
}

/// How far the cells of the payoff matrix tell user and model apart.
fn payoff(parameters: &Parameters) -> Result<Expr> {
    let (user, model) = (|| signal("payoff_user"), || signal("payoff_model"));
    let gap = (user() - model()).abs() / user().abs().max(model().abs()).max(f64::MIN_POSITIVE);
    let told_apart = indicator(user().differs(model()));
    let cell = told_apart + indicator(gap.greater(parameters.number("least_gap")?));
    let share = 0.5 / parameters.number("payoff_cells")?;
    Ok(complete(share * cell, Reduction::Sum, Some(0.0)))
}
