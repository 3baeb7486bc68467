//! CaRR: of a correct answer, the share of rubrics that its citations support and that lead to it.

use std::sync::Arc;

use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, Reduction, group, maximum, signal, when};
use meed_operators::signals::RubricGraph;

use crate::inputs::{Input, Of, input, items, pairs};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::GROUP;
use crate::parts::shaped::{complete, credit_of};
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};

const INPUTS: &[Input] = &[
    pairs(
        "rubric_mention_entities",
        Of::Text,
        "ids of the entities that each rubric mentions, a list per rubric",
        "the rubrics of the question, with their hidden entities numbered and the answer called E0",
    ),
    items("entity_ids", Of::Text, "ids of the question's entities", "the entities that the rubrics mention"),
    items(
        "entity_identified",
        Of::Flag,
        "whether the response identifies the entity",
        "a judge that reads the response",
    ),
    items(
        "rubric_supported",
        Of::Flag,
        "whether the cited pages support the rubric's statement; null where an entity of it is not identified",
        "a judge that reads the cited pages",
    ),
    input(
        "has_citations",
        Of::Flag,
        "whether the response cites a page that was read",
        "look the cited addresses up in the rollout",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("rubric_weight", "0.3", "share of the reward that the rubrics have"),
    parameter(
        "connected",
        "true",
        "true: only rubrics count that a chain of supported rubrics joins to the answer",
    ),
    parameter("normalise_in_group", "true", "true: rubric rewards are divided by the largest of the group"),
    parameter("only_positive", "true", "true: rubrics count for correct rollouts only; wrong ones get 0"),
    parameter(
        "positive_rubric",
        "raw",
        "with only_positive: raw, as released, whether normalised or not; normalised, as in the paper",
    ),
    parameter(
        "only_negative",
        "false",
        "true: rubrics count for wrong rollouts only; correct ones keep the outcome",
    ),
];

/// C-GRPO of CaRR: `R = 0` where the outcome is 0, else `1 - a + a rubric`; then GRPO.
///
/// The rubric reward is the number of rubrics that are identified, supported and connected, by all rubrics; 0
/// without rubrics or citations, null where a verdict that it needs is null. A group whose rubric rewards are all
/// 0 is not divided. Groups of unequal size are normalised each by itself, where the released code takes the
/// whole batch as one group.
pub const CARR: Recipe = Recipe {
    name: "carr",
    title: "outcome-gated reward of supported rubrics that are chained to the answer",
    citation: "Chaining the Evidence (CaRR); THUDM/CaRR",
    family: "rewards",
    objective: ("carr", &[]),
    formula: "R = outcome == 0 ? 0 : (1 - a) * outcome + a * rubric; A = (R - mean(R)) / (std(R) + eps)",
    fidelity: Fidelity::Reference,
    deviations: "the normalised rubric reward is not used with only_positive, as released; positive_rubric=normalised gives the paper's; groups of unequal size stay groups",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let counted = when(signal("rubric_identified"), signal("rubric_supported"), no());
        let counted = match parameters.boolean("connected")? {
            true => when(counted.clone(), signal("rubric_connected"), counted),
            false => counted,
        };
        let share = complete(counted, Reduction::Mean, Some(0.0));
        let credit = Credit::new().define("rubric_rewards", when(signal("has_citations"), share, 0.0));
        let credit = credit_of(parameters, credit, mixed(parameters)?)?;
        let operator = Arc::new(RubricGraph { answer: "E0".into() });
        Ok(Plan { operators: vec![operator], ..Plan::from(credit) })
    },
    ..ADVANTAGE
};

fn mixed(parameters: &Parameters) -> Result<Expr> {
    let (outcome, raw) = (|| signal("reward"), || signal("rubric_rewards"));
    let weight = parameters.number("rubric_weight")?;
    let normalised = match parameters.boolean("normalise_in_group")? {
        true => {
            let greatest = maximum(raw(), group());
            when(greatest.clone().greater(0.0), raw() / greatest, raw())
        }
        false => raw(),
    };
    let mix = |rubric: Expr| (1.0 - weight) * outcome() + weight * rubric;
    Ok(match (parameters.boolean("only_positive")?, parameters.boolean("only_negative")?) {
        (false, false) => mix(normalised),
        (true, false) => {
            let rubric = match parameters.text("positive_rubric")? {
                "raw" => raw(),
                "normalised" => normalised,
                _ => return Err(parameters.unknown("positive_rubric", &["raw", "normalised"])),
            };
            when(outcome().equals(0.0), 0.0, mix(rubric))
        }
        (false, true) => when(outcome().equals(0.0), weight * normalised, outcome()),
        (true, true) => return Err(parameters.unknown("only_negative", &["false with only_positive"])),
    })
}

fn no() -> Expr {
    meed_operators::credit::value(0.0).equals(1.0)
}
