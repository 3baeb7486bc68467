//! RewardDance: the probability of "yes" of a judge that compares a candidate with a reference.

use meed_operators::credit::{Credit, Level, Reduction, count, group, rank, signal};

use crate::inputs::{Input, Of, input, items};
use crate::parameters::{Parameter, parameter};
use crate::parts::shaped::complete;
use crate::parts::steps::indicator;
use crate::recipe::{Fidelity, REWARD, Recipe};

const JUDGE: &str =
    "a generative judge that is asked whether the second of two results is better; store its two logits";

const INPUTS: &[Input] = &[
    input("yes_logit", Of::Number, "logit of yes against the reference (against=reference)", JUDGE),
    input("no_logit", Of::Number, "logit of no against the reference (against=reference)", JUDGE),
    items("rival_yes_logits", Of::Number, "logit of yes against each other sample (against=others)", JUDGE),
    items("rival_no_logits", Of::Number, "logit of no against each other sample (against=others)", JUDGE),
];

const PARAMETERS: &[Parameter] = &[parameter(
    "against",
    "reference",
    "reference: the reward of a candidate; others: each sample against all others, to choose a reference",
)];

/// RewardDance: `r = P(yes) = exp(l_yes) / (exp(l_yes) + exp(l_no))` against a reference.
///
/// With `against=others` the reward is the share of the other samples that a sample beats, where its `P(yes)` is above
/// 1/2, and `is_reference` is true for the one of its group with the most wins; of equals for the first.
pub const REWARDDANCE: Recipe = Recipe {
    name: "rewarddance",
    title: "probability of yes of a comparing judge, and the best of N as reference",
    citation: "RewardDance: Reward Scaling in Visual Generation, arXiv 2509.08826",
    family: "rewards",
    formula: "r = exp(l_yes) / (exp(l_yes) + exp(l_no))",
    fidelity: Fidelity::Equations,
    deviations: "one order of the two results, as in the paper; its pointwise variant (Bradley-Terry on the probability, with a small cross-entropy) is not here; the paper's update differentiates through the judge, and its search at test time is no credit",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let credit = Credit::new();
        Ok(match parameters.text("against")? {
            "reference" => {
                credit.define("shaped_reward", (signal("yes_logit") - signal("no_logit")).sigmoid())
            }
            "others" => {
                let won = (signal("rival_yes_logits") - signal("rival_no_logits")).sigmoid().greater(0.5);
                let best = rank(signal("wins"), group(), false).equals(0.0);
                let rivals = || count(Level::from("rival"));
                credit
                    .define("wins", complete(indicator(won), Reduction::Sum, Some(0.0)))
                    .define("is_reference", best)
                    .define("shaped_reward", signal("wins") / rivals().null_if(rivals().equals(0.0)))
            }
            _ => return Err(parameters.unknown("against", &["reference", "others"])),
        }
        .into())
    },
    ..REWARD
};
