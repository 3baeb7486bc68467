//! TAROT: tests in four tiers, weighted by a scheme, joining the reward one tier after the other.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, ROLLOUT, Reduction, all, if_present, progress, signal, text, value, when,
};

use crate::inputs::{Input, Of, input, items};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::{GROUP, group_advantage};
use crate::recipe::{Fidelity, Plan, Recipe};

const TIERS: [&str; 4] = ["basic", "medium", "high", "edge"];

const INPUTS: &[Input] = &[
    items(
        "test_tiers",
        Of::Text,
        "tier of each test: basic, medium, high or edge",
        "import the tests with their tiers",
    ),
    items(
        "test_passed",
        Of::Share,
        "whether, or by which share, each test is passed",
        "the judge `passed`, or an import",
    ),
    input(
        "code_format",
        Of::Share,
        "whether the response holds a block of code; without the column it is no part of the reward",
        "a judge such as `regex`",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "scheme",
        "var_asce_normal",
        "weights and curriculum: uni, var, var_asce_normal, var_asce_rev, each also with _3e for three epochs; basic_only, complex_only, edge_only",
    ),
    parameter("weights", "null", "{basic, medium, high, edge} in place of the scheme's"),
    parameter("curriculum", "true", "false: all tiers from the start"),
    parameter("epoch", "null", "the epoch reached, such as 0.5; null: from the iteration"),
    parameter("iterations_per_epoch", "100", "iterations of one epoch"),
    parameter("format_weight", "1.0", "weight of code_format"),
];

/// TAROT: `r = sum of the weights of the passed tests of active tiers + code_format`, normalised in
/// the group.
///
/// Nothing divides the sum, so that several tests of a tier add up and the reward may exceed 1. Tests
/// of other tiers have weight 0. Tiers join at 0.2, 0.4 and 0.6 of an epoch (0.6, 1.2 and 1.8 with
/// `_3e`), from basic up, or with `_rev` in the order high, edge, medium, basic.
pub const TAROT: Recipe = Recipe {
    name: "tarot",
    title: "weights of passed tests, tier by tier along a curriculum",
    citation: "TAROT: Test-driven and Capability-adaptive Curriculum Reinforcement Fine-tuning; deep-diver/TAROT custom_rewards",
    family: "outcome",
    objective: ("ppo_clip", &[("kl", r#"{"coef": 0.01}"#)]),
    formula: "r = sum_test w(tier) [tier active at epoch e] passed",
    fidelity: Fidelity::Reference,
    deviations: "a test without a verdict leaves its rollout out, where the reference counts a program that does not run as failed: the judge says so",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan,
    ..crate::recipe::ADVANTAGE
};

/// Weights of the tiers, the order in which they join, and how many epochs the curriculum takes.
struct Scheme {
    weights: [f64; 4],
    order: &'static [usize],
    epochs: f64,
}

fn scheme(parameters: &Parameters) -> Result<Scheme> {
    let name = parameters.text("scheme")?;
    let (base, epochs) = name.strip_suffix("_3e").map_or((name, 1.0), |base| (base, 3.0));
    let (weights, order): ([f64; 4], &[usize]) = match base {
        "uni" => ([0.25; 4], &[0, 1, 2, 3]),
        "var" => ([0.35, 0.35, 0.15, 0.15], &[0, 1, 2, 3]),
        "var_asce_normal" => ([0.15, 0.15, 0.35, 0.35], &[0, 1, 2, 3]),
        "var_asce_rev" => ([0.15, 0.15, 0.35, 0.35], &[2, 3, 1, 0]),
        "basic_only" if epochs == 1.0 => ([1.0, 0.0, 0.0, 0.0], &[0]),
        "complex_only" if epochs == 1.0 => ([0.0, 0.0, 1.0, 0.0], &[2]),
        "edge_only" if epochs == 1.0 => ([0.0, 0.0, 0.0, 1.0], &[3]),
        _ => {
            let known = &[
                "uni",
                "var",
                "var_asce_normal",
                "var_asce_rev",
                "uni_3e",
                "var_3e",
                "var_asce_normal_3e",
                "var_asce_rev_3e",
                "basic_only",
                "complex_only",
                "edge_only",
            ];
            return Err(parameters.unknown("scheme", known));
        }
    };
    let mut scheme = Scheme { weights, order, epochs };
    if let Some(fields) = parameters.object("weights", &TIERS)? {
        for (weight, tier) in scheme.weights.iter_mut().zip(TIERS) {
            *weight = fields.number(tier)?.unwrap_or(0.0);
        }
    }
    Ok(scheme)
}

fn plan(parameters: &Parameters) -> Result<Plan> {
    let scheme = scheme(parameters)?;
    let epoch = match parameters.optional_number("epoch")? {
        Some(epoch) => value(epoch),
        None => {
            let last = scheme.epochs * parameters.number("iterations_per_epoch")?;
            scheme.epochs * progress(0.0, last)
        }
    };
    let curriculum = parameters.boolean("curriculum")?;
    let mut weight: Expr = value(0.0);
    for (tier, name) in TIERS.into_iter().enumerate() {
        let place = scheme.order.iter().position(|&joined| joined == tier);
        let full = value(scheme.weights[tier]);
        let active = match place {
            _ if !curriculum => full,
            None => continue,
            Some(0) => full,
            Some(place) => {
                // Rounded once, as the reference's literals 0.6, 1.2 and 1.8 are.
                let limit = (2 * place) as f64 * scheme.epochs / 10.0;
                when(epoch.clone().at_least(limit), full, 0.0)
            }
        };
        weight = when(signal("test_tiers").equals(text(name)), active, weight);
    }
    let passed = || signal("test_passed");
    let unknown = passed().is_null().reduce(ROLLOUT, Reduction::Any).over(all());
    let sum = (signal("test_weights") * passed()).reduce(ROLLOUT, Reduction::Sum).null_if(unknown);
    let format = if_present(parameters.number("format_weight")? * signal("code_format"), value(0.0));
    Ok(Credit::new()
        .define("test_weights", weight)
        .define("rewards", sum)
        .define("score", signal("rewards") + format)
        .advantage(group_advantage(parameters, signal("score"))?)
        .into())
}
