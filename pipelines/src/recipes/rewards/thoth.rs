//! Thoth: a protocol's structured steps against the gold steps, in number, order and content.

use std::sync::Arc;

use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, Level, ROLLOUT, Reduction, count, signal, value, when};
use meed_operators::signals::ComponentAlignment;

use crate::inputs::{Input, Of, input, items, pairs};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::GROUP;
use crate::parts::shaped::credit_of;
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};

const PARSED: &str = "parse the structured steps of the response into lists";
const GOLD: &str = "parse the structured steps of the reference protocol into lists";

const INPUTS: &[Input] = &[
    items(
        "predicted_actions",
        Of::Text,
        "the action of each structured step; null or empty where nothing parsed",
        PARSED,
    ),
    pairs("predicted_object_names", Of::Text, "its objects, a list per step", PARSED),
    pairs("predicted_parameter_values", Of::Text, "its parameters, a list per step", PARSED),
    items("gold_actions", Of::Text, "the action of each gold step", GOLD),
    pairs("gold_object_names", Of::Text, "its objects, a list per step", GOLD),
    pairs("gold_parameter_values", Of::Text, "its parameters, a list per step", GOLD),
    input(
        "format_ok",
        Of::Flag,
        "whether the response has the required blocks",
        "the judge `regex`, bound with --set format_ok=<signal>",
    ),
    input(
        "steps_consistent",
        Of::Flag,
        "whether the structured steps say the same as the steps in words",
        "a judge that compares both",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "step_scale",
        "gap",
        "how the number of steps is judged: gap (1 - gap / the longer list, training), equal (1 or 0, evaluation), none",
    ),
    parameter("order", "strict", "strict: 1 where the actions are equal; lcs: 2 LCS / (both lengths)"),
    parameter("combine", "sum", "of order and content: sum, product"),
    parameter(
        "denominator",
        "matched",
        "the content is divided by the steps that are matched, predicted or gold",
    ),
    parameter("decay", "1.5", "exponent of the distance of aligned steps"),
    parameter("parameter_weight", "0.5", "weight of parameters beside objects"),
    parameter("object_gate", "0.5", "least overlap of objects at which parameters count"),
];

/// SCORE of Thoth: `r = format * consistency * step_scale * (order + content)`.
///
/// Content is the mean score of aligned steps ([`ComponentAlignment`]), 0 where no step is aligned. A response
/// that fails the format gets 0 whatever the rest says; two empty lists have LCS score 1.
pub const THOTH: Recipe = Recipe {
    name: "thoth",
    title: "gated order and content of structured protocol steps",
    citation: "Unleashing Scientific Reasoning for Bio-experimental Protocol Generation (Thoth); manglu097/Thoth eval_batch.py",
    family: "rewards",
    formula: "r = format * consistency * step_scale * (order + mean(step scores))",
    fidelity: Fidelity::Reconstructed,
    deviations: "order, alignment and step scores follow the released evaluation; the training reward is not released, guessed: how the gap of counts scales, the product of gates, GRPO's deviation",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let operator = ComponentAlignment {
            decay: parameters.number("decay")?,
            parameter_weight: parameters.number("parameter_weight")?,
            object_gate: parameters.number("object_gate")?,
        };
        let credit = Credit::new()
            .define("step_scale", step_scale(parameters)?)
            .define("order", order(parameters)?)
            .define("content", content(parameters)?);
        let combined = match parameters.text("combine")? {
            "sum" => signal("order") + signal("content"),
            "product" => signal("order") * signal("content"),
            _ => return Err(parameters.unknown("combine", &["sum", "product"])),
        };
        let gated = signal("steps_consistent") * signal("step_scale") * combined;
        let shaped = when(signal("format_ok"), gated, 0.0);
        Ok(Plan { operators: vec![Arc::new(operator)], ..credit_of(parameters, credit, shaped)?.into() })
    },
    ..ADVANTAGE
};

fn steps(side: &str) -> Expr {
    count(Level::from(side))
}

fn longer() -> Expr {
    steps("predicted").max(steps("gold"))
}

fn step_scale(parameters: &Parameters) -> Result<Expr> {
    let gap = (steps("predicted") - steps("gold")).abs();
    Ok(match parameters.text("step_scale")? {
        "gap" => when(longer().equals(0.0), 1.0, 1.0 - gap / longer()),
        "equal" => when(gap.equals(0.0), 1.0, 0.0),
        "none" => value(1.0),
        _ => return Err(parameters.unknown("step_scale", &["gap", "equal", "none"])),
    })
}

fn order(parameters: &Parameters) -> Result<Expr> {
    Ok(match parameters.text("order")? {
        "strict" => when(signal("actions_equal"), 1.0, 0.0),
        "lcs" => {
            let both = steps("predicted") + steps("gold");
            when(longer().equals(0.0), 1.0, 2.0 * signal("actions_common") / both)
        }
        _ => return Err(parameters.unknown("order", &["strict", "lcs"])),
    })
}

fn content(parameters: &Parameters) -> Result<Expr> {
    let scores = || signal("predicted_scores");
    let by = |number: Expr| scores().reduce(ROLLOUT, Reduction::Sum).empty(0.0) / number.max(1.0);
    Ok(match parameters.text("denominator")? {
        "matched" => scores().reduce(ROLLOUT, Reduction::Mean).empty(0.0),
        "predicted" => by(steps("predicted")),
        "gold" => by(steps("gold")),
        _ => return Err(parameters.unknown("denominator", &["matched", "predicted", "gold"])),
    })
}
