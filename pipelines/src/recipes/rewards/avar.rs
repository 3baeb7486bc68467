//! AVAR: right answers earn more where the response looked at the image.

use meed_operators::credit::{Credit, Reduction, signal, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::GROUP;
use crate::parts::shaped::{complete, credit_of};
use crate::parts::steps::indicator;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};
use crate::recipes::process::inputs::FORMAT_OK;

const ATTENTION: &str =
    "a forward pass over the rollout that sums attention over heads, layers and those tokens";

const INPUTS: &[Input] = &[
    input(
        "token_image_attention",
        Of::Share,
        "attention of each token to the tokens of the image",
        ATTENTION,
    ),
    input("token_system_attention", Of::Share, "attention of each token to the system prompt", ATTENTION),
    FORMAT_OK,
];

const PARAMETERS: &[Parameter] = &[
    parameter("lambda_v", "0.3", "weight of the attention to the image"),
    parameter("lambda_f", "0.1", "weight of the format"),
    parameter(
        "anchoring",
        "tokens",
        "tokens: mean of the tokens' ratios (paper); total: ratio of the sums (released)",
    ),
    parameter("attention_eps", "1e-6", "added to the attention to the system prompt"),
];

/// AVAR: `r = accuracy + 0.3 anchoring [accuracy > 0] + 0.1 format`, with `anchoring` the attention to the image over
/// that to the system prompt, compared in the group. Tokens of the environment do not count.
pub const AVAR: Recipe = Recipe {
    name: "avar",
    title: "attention to the image as reward of right answers",
    citation: "Luo et al. 2026, From Narrow to Panoramic Vision, arXiv 2603.03825; lrlbbzl/Qwen-AVAR",
    family: "rewards",
    formula: "r = accuracy + lambda_v mean_t(a_image / a_system) [accuracy > 0] + lambda_f format",
    fidelity: Fidelity::Reconstructed,
    deviations: "from the abstract and from reading the released program, which was not run and whose ratio of sums differs from the mean of ratios in its own comment; the data and the cold start with attention losses are not here",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let (image, system) = (|| signal("token_image_attention"), || signal("token_system_attention"));
        let eps = parameters.number("attention_eps")?;
        let anchoring = match parameters.text("anchoring")? {
            "tokens" => complete(image() / (system() + eps), Reduction::Mean, None),
            "total" => {
                complete(image(), Reduction::Sum, None) / (complete(system(), Reduction::Sum, None) + eps)
            }
            _ => return Err(parameters.unknown("anchoring", &["tokens", "total"])),
        };
        let looked = when(signal("reward").greater(0.0), signal("anchoring"), 0.0);
        let shaped = signal("reward")
            + parameters.number("lambda_v")? * looked
            + parameters.number("lambda_f")? * indicator(signal("format_ok"));
        Ok(credit_of(parameters, Credit::new().define("anchoring", anchoring), shaped)?.into())
    },
    ..ADVANTAGE
};
