//! LSC: the log-probability of being better than a reference, and of several properties at once their sum.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, Level, Reduction, Statistic, aggregate, index, mean, rollout, signal, std,
};

use crate::inputs::{Input, Of, items, pairs};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::GROUP;
use crate::parts::quantile::normal_quantile;
use crate::parts::shaped::{BASELINE, complete, credit_of};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    items(
        "property_rewards",
        Of::Number,
        "raw Bradley-Terry rewards of the response, one per property such as helpfulness",
        "one reward model per property; store their rewards as a list, of one element where there is one",
    ),
    items(
        "property_references",
        Of::Number,
        "the reward that counts as good enough for this prompt, one per property (reference=given)",
        "the 0.85 quantile of the base policy's rewards on the prompt, or the reward of a canned refusal",
    ),
    pairs(
        "property_reference_rewards",
        Of::Number,
        "rewards of the base policy's responses to the prompt, a list per property (reference=quantile)",
        "sample the base policy and score its responses with the same reward models",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "reference",
        "given",
        "given: property_references; quantile: of property_reference_rewards; normal_quantile: of a normal distribution with their mean and deviation",
    ),
    parameter("quantile", "0.85", "which quantile"),
];

/// LSC: `r = sum_k log sigmoid(r_k - r_ref,k)`, the log-probability that every property is good.
///
/// A property whose reward is null leaves the rollout without a reward: a conjunction needs all of them. The
/// quantile of a single sample is that sample.
pub const LSC: Recipe = Recipe {
    name: "lsc",
    title: "log-sigmoid of centred rewards, summed over properties",
    citation: "Wang et al. 2024, arXiv 2402.00742",
    family: "rewards",
    formula: "r = sum_k log sigmoid(r_k - r_ref,k)",
    fidelity: Fidelity::Reconstructed,
    deviations: "the equations are from memory of the paper; the paper maximises E[r] by PPO: the advantage here is GRPO's, baseline=none gives r itself; guessed: linear interpolation of the quantile",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, BASELINE, GROUP],
    plan: |parameters| {
        let utility = (signal("property_rewards") - reference(parameters)?).log_sigmoid();
        let credit = Credit::new().define("property_utilities", utility);
        let all_good = complete(signal("property_utilities"), Reduction::Sum, None);
        Ok(credit_of(parameters, credit, all_good)?.into())
    },
    ..ADVANTAGE
};

fn reference(parameters: &Parameters) -> Result<Expr> {
    let samples = || signal("property_reference_rewards");
    let by_property = || rollout().and(index(Level::from("property")));
    Ok(match parameters.text("reference")? {
        "given" => signal("property_references"),
        "quantile" => {
            aggregate(Statistic::Quantile(parameters.number("quantile")?), samples(), by_property())
        }
        "normal_quantile" => {
            let deviation = std(samples(), by_property(), 1).or_else(0.0) + 1e-5;
            mean(samples(), by_property()) + normal_quantile(parameters, "quantile")? * deviation
        }
        _ => return Err(parameters.unknown("reference", &["given", "quantile", "normal_quantile"])),
    })
}
