//! PRS: rewards in stages, of which a later one counts only where the earlier ones are passed.

use meed_operators::credit::{Credit, signal, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::GROUP;
use crate::parts::shaped::credit_of;
use crate::parts::steps::where_used;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    input("call_parsed", Of::Flag, "whether every tool call could be parsed", "the parser of tool calls"),
    input(
        "format_ok",
        Of::Flag,
        "whether the response has the required format",
        "the judge `regex`, bound with --set format_ok=<signal>",
    ),
    input(
        "answer_quality",
        Of::Share,
        "quality of the answer: for short ones a BLEU that knows the length, for long ones a judge",
        "a judge of answers",
    ),
];

const PARAMETERS: &[Parameter] =
    &[parameter("weights", "[0.1, 0.1, 0.8]", "of a parsed call, the format, and the answer's quality")];

/// PRS: `r = w1 parsed + w2 parsed format + w3 parsed format quality`; then GRPO. What comes after a stage that is not
/// passed need not be known.
pub const PRS: Recipe = Recipe {
    name: "prs",
    title: "rewards in stages: parsed call, format, quality of the answer",
    citation: "PRS and VSPO, arXiv 2512.07478",
    family: "redistribution",
    formula: "r = 1[parsed] (w1 + 1[format] (w2 + w3 quality)); A = normalize(r, by(group))",
    fidelity: Fidelity::Reconstructed,
    deviations: "read from the abstract: the weights are guesses; VSPO's replacement of prompts and its clipping are not included",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let weights = parameters.numbers("weights")?;
        let Some(&[parsed, format, quality]) = weights.as_deref() else {
            return Err(parameters.unknown("weights", &["[call, format, quality]"]));
        };
        let of = |column: &str| where_used(signal(column));
        let answered = when(of("format_ok"), format + quality * of("answer_quality"), 0.0);
        let staged = when(signal("call_parsed"), parsed + answered, 0.0);
        Ok(credit_of(parameters, Credit::new(), staged)?.into())
    },
    ..ADVANTAGE
};
