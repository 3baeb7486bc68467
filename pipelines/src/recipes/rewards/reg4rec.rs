//! REG4Rec: how well a recommended item's path fits, and how many of the user's next items it hits.

use meed_operators::credit::{Credit, Level, Reduction, index, signal, value, when};

use crate::inputs::{Input, Of, input, items};
use crate::parameters::{Parameter, parameter};
use crate::parts::reward::weights;
use crate::parts::shaped::{complete, credit_of, group_with, weighted_sum};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    items(
        "future_hits",
        Of::Share,
        "how well the recommended item matches the user's next items, from the next one on",
        "compare the item of the rollout's token path with the log of the user",
    ),
    input(
        "path_match",
        Of::Share,
        "exact (1) or partial match of the token path with the item",
        "compare the paths",
    ),
    input(
        "category_consistency",
        Of::Share,
        "how far the categories along the path agree",
        "look the path's categories up",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("gamma", "0.5", "discount per future item"),
    parameter("horizon", "null", "future items that count; null: all that are known"),
    parameter(
        "weights",
        "[1, 1, 1]",
        "of path_match, category_consistency and the multi-step reward; a part of weight 0 is not read",
    ),
];

/// REG4Rec: `r = path + consistency + sum_h gamma^h hit_h`, compared in its group.
///
/// A user with fewer future items than the horizon has a shorter sum, one without any 0; a hit that is null
/// leaves the rollout without a reward.
pub const REG4REC: Recipe = Recipe {
    name: "reg4rec",
    title: "path reward plus discounted hits of the user's next items",
    citation: "REG4Rec: Reasoning-Enhanced Generative Model for Large-Scale Recommendation Systems",
    family: "rewards",
    formula: "r = w_p * path + w_c * consistency + w_m * sum_h gamma^h * hit_h",
    fidelity: Fidelity::Reconstructed,
    deviations: "from the abstract; guessed: all formulas, the discount, weights of 1, the population deviation",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, &group_with("0", "1e-6")],
    plan: |parameters| {
        let weights = weights(parameters, 3)?;
        let mut credit = Credit::new();
        if weights[2] != 0.0 {
            let ahead = || index(Level::from("future"));
            let hits = signal("future_hits") * value(parameters.number("gamma")?).power(ahead());
            let hits = match parameters.optional_number("horizon")? {
                Some(horizon) => when(ahead().less(horizon), hits, 0.0),
                None => hits,
            };
            credit = credit.define("multi_step_reward", complete(hits, Reduction::Sum, Some(0.0)));
        }
        let shaped = weighted_sum(&["path_match", "category_consistency", "multi_step_reward"], &weights);
        Ok(credit_of(parameters, credit, shaped)?.into())
    },
    ..ADVANTAGE
};
