//! DeScore: reasoning of a judge, rewarded for right sub-verdicts, format and length.

use meed_operators::credit::{Credit, Expr, Reduction, signal, value, when};

use crate::inputs::{Input, Of, input, items};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::GROUP;
use crate::parts::shaped::{complete, credit_of};
use crate::parts::steps::indicator;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};
use crate::recipes::process::inputs::FORMAT_OK;

const INPUTS: &[Input] = &[
    items(
        "dimension_correct",
        Of::Flag,
        "whether the judge's verdict on each sub-dimension is the label",
        "compare the verdicts with the labels of the pair",
    ),
    FORMAT_OK,
    input("characters", Of::Count, "length of the judgement in characters", "count them on import"),
];

const PARAMETERS: &[Parameter] =
    &[parameter("weights", "[0.7, 0.1, 0.2]", "of the share of right sub-verdicts, of format and of length")];

/// Characters from which the length is worth so much.
const LENGTHS: [(f64, f64); 4] = [(500.0, 0.2), (1000.0, 0.4), (1500.0, 0.6), (2000.0, 1.0)];

/// DeScore: `r = 0.7 accuracy + 0.1 format + 0.2 length`, with length worth 0, 0.2, 0.4, 0.6 and 1 from 0, 500, 1000,
/// 1500 and 2000 characters on, compared in the group.
///
/// The objective `descore` adds the pairwise loss of the scores that the judge's head gives the two answers.
pub const DESCORE: Recipe = Recipe {
    name: "descore",
    title: "a judge's reasoning rewarded for right sub-verdicts, format and length",
    citation: "DeScore: Think, then Score; WYuan1001/DeScore_project_page",
    family: "rewards",
    objective: ("descore", &[("kl", r#"{"coef": 1e-5, "estimator": "k3"}"#)]),
    formula: "r = 0.7 accuracy + 0.1 format + 0.2 length(characters)",
    fidelity: Fidelity::Equations,
    deviations: "as the code, which rewards length where the abstract does not say so",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let Some([accuracy, format, length]) =
            parameters.numbers("weights")?.as_deref().map(<[f64; 3]>::try_from).and_then(Result::ok)
        else {
            return Err(parameters.unknown("weights", &["[accuracy, format, length]"]));
        };
        let right = complete(indicator(signal("dimension_correct")), Reduction::Mean, None);
        let worth = LENGTHS.iter().fold(value(0.0), |worth: Expr, (from, more)| {
            when(signal("characters").at_least(*from), *more, worth)
        });
        let credit = Credit::new().define("accuracy", right).define("length_reward", worth);
        let shaped = accuracy * signal("accuracy")
            + format * indicator(signal("format_ok"))
            + length * signal("length_reward");
        Ok(credit_of(parameters, credit, shaped)?.into())
    },
    ..ADVANTAGE
};
