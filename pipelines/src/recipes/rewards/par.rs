//! PAR: the reward is how likely the response beats reference responses, which bounds it.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, Level, ROLLOUT, Reduction, all, history, if_present, index, mean, min_max, rollout, signal,
    std, value, when,
};

use crate::inputs::{Input, Of, items};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::GROUP;
use crate::parts::norm::trainable_tokens;
use crate::parts::quantile::normal_quantile;
use crate::parts::shaped::{BASELINE, credit_of};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[items(
    "reference_rewards",
    Of::Number,
    "raw rewards of reference responses to the same prompt, from the policy before RL",
    "score responses of the initial policy with the same reward model and store their rewards as a list",
)];

const SHAPES: &[&str] = &[
    "sigmoid",
    "shifted_sigmoid",
    "tanh",
    "arctan",
    "polynomial",
    "centered",
    "log_sigmoid_centered",
    "running_zscore",
    "running_clip",
    "running_minmax",
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "shape",
        "sigmoid",
        "sigmoid, tanh, arctan, polynomial (fitted to the sigmoid); shifted_sigmoid (of the difference less 3), centered (the difference), log_sigmoid_centered (LSC): always relative; running_zscore, running_clip (to mean +- deviation), running_minmax: of all raw rewards so far",
    ),
    parameter(
        "relative",
        "true",
        "true: the mean over the references of the shape of `reward - reference`; false: the shape of the reward",
    ),
    parameter("k", "1", "slope of the sigmoids"),
    parameter(
        "max_references",
        "10",
        "references that count, the first ones; log_sigmoid_centered reads all",
    ),
    parameter("ceiling", "null", "upper bound of the raw reward"),
    parameter("penalise_length", "true", "true: long responses lose reward before it is shaped"),
    parameter(
        "length_limit",
        "300",
        "tokens that are free; a column response_length stands in for the tokens",
    ),
    parameter("length_penalty", "0.01", "taken off per token beyond"),
    parameter(
        "polynomial_coefficients",
        "[0.000202669169780356, 5.29681167148913e-09, -0.0101309120347298, -1.78924105160029e-07, 0.228788511431383, 0.500000831866381]",
        "of the polynomial of degree 5, from the highest; it is 0 below -5 and 1 above 5",
    ),
    parameter(
        "quantile",
        "0.85",
        "quantile of the references' normal distribution that log_sigmoid_centered starts from",
    ),
];

/// PAR: `mean_m sigmoid(k (r - r_ref,m))`, after a ceiling and a length penalty on the raw reward.
///
/// A rollout without a reference has no reward, where the released code divides by zero. One reference has
/// the deviation 0 in `log_sigmoid_centered`. Equal raw rewards have z-score 0, and min-max 0 where it divides by
/// zero.
pub const PAR: Recipe = Recipe {
    name: "par",
    title: "reward shaped by comparison with reference responses",
    citation: "Fu et al. 2025, arXiv 2502.18770; PorUna-byte/PAR reward_shaper.py",
    family: "rewards",
    formula: "r = mean_m sigmoid(k * (r - r_ref,m))",
    fidelity: Fidelity::Reference,
    deviations: "the authors train by PPO or GRPO: the advantage here is GRPO's, baseline=none gives the shaped reward itself; the ceiling is not applied once more to what centered, shifted_sigmoid, running_zscore and running_clip give",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, BASELINE, GROUP],
    plan: |parameters| {
        let credit = Credit::new().define("raw_reward", raw(parameters)?);
        let credit = credit.define("shaped_reward", shaped(parameters)?);
        Ok(credit_of(parameters, credit, signal("shaped_reward"))?.into())
    },
    ..ADVANTAGE
};

fn raw(parameters: &Parameters) -> Result<Expr> {
    let capped = match parameters.optional_number("ceiling")? {
        Some(ceiling) => signal("reward").min(ceiling),
        None => signal("reward"),
    };
    if !parameters.boolean("penalise_length")? {
        return Ok(capped);
    }
    let length = if_present(signal("response_length"), trainable_tokens());
    let beyond = (length - parameters.number("length_limit")?).max(0.0);
    Ok(capped - parameters.number("length_penalty")? * beyond)
}

fn shaped(parameters: &Parameters) -> Result<Expr> {
    let (reward, k) = (|| signal("raw_reward"), parameters.number("k")?);
    let counted = all().only(index(Level::from("reference")).less(parameters.number("max_references")?));
    let over_references = |x: Expr| x.reduce(ROLLOUT, Reduction::Mean).over(counted.clone());
    let difference = || reward() - signal("reference_rewards");
    let shape = |x: Expr| {
        Ok(match parameters.text("shape")? {
            "sigmoid" => (k * x).sigmoid(),
            "tanh" => x.tanh(),
            "arctan" => x.arctan(),
            "polynomial" => polynomial(parameters, x)?,
            _ => return Err(parameters.unknown("shape", SHAPES)),
        })
    };
    Ok(match parameters.text("shape")? {
        "centered" => over_references(difference()),
        "shifted_sigmoid" => over_references((k * (difference() - 3.0)).sigmoid()),
        "log_sigmoid_centered" => {
            let references = || signal("reference_rewards");
            let deviation = std(references(), rollout(), 1).or_else(0.0) + 1e-5;
            let quantile =
                mean(references(), rollout()) + normal_quantile(parameters, "quantile")? * deviation;
            (reward() - quantile).log_sigmoid()
        }
        running @ ("running_zscore" | "running_clip" | "running_minmax") => so_far(running),
        _ if parameters.boolean("relative")? => over_references(shape(difference())?),
        _ => shape(reward())?,
    })
}

/// The raw reward by statistics of the iterations up to its own, that one included.
fn so_far(running: &str) -> Expr {
    let raw = || signal("raw_reward");
    let (center, deviation) = (mean(raw(), history()), std(raw(), history(), 0));
    match running {
        "running_minmax" => min_max(raw(), history()),
        "running_clip" => raw().max(center.clone() - deviation.clone()).min(center + deviation),
        _ => (raw() - center) / when(deviation.clone().equals(0.0), 1.0, deviation),
    }
}

fn polynomial(parameters: &Parameters, x: Expr) -> Result<Expr> {
    let coefficients = parameters.numbers("polynomial_coefficients")?.unwrap_or_default();
    let horner = coefficients.iter().fold(value(0.0), |sum, &coefficient| sum * x.clone() + coefficient);
    Ok(when(x.clone().at_most(-5.0), 0.0, when(x.at_least(5.0), 1.0, horner)))
}
