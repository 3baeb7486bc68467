//! Generalised advantage estimation over trainable tokens.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, Norm, Scale, gae, if_present, mask, normalize, signal, value, when,
};

use super::reinforce::dense_rewards;
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::divergence::{self, DIVERGENCE};
use crate::parts::norm::{PRESET, trainable_tokens};
use crate::parts::returns::{Passing, RETURNS, passing, token_rewards};
use crate::parts::reward::{REWARD, reward};
use crate::parts::whitening::{WHITEN_OFF, WHITENING, whitened};
use crate::recipe::{Fidelity, Kind, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("lam", "0.95", "lambda"),
    parameter("lam_value", "null", "lambda of the returns, where it differs (VAPO)"),
    parameter(
        "lam_policy",
        "null",
        "lambda of the advantages: a number, or `1 - 1/(alpha*length), clamped to [0,1]` (VAPO)",
    ),
    parameter("alpha", "0.05", "the alpha of that rule"),
    parameter("values", "critic", "critic: token_values; none: all values are 0"),
    parameter(
        "reward_norm",
        "null",
        "null, or {center, scale, ddof, eps}: the outcome reward is normalised in its group first",
    ),
];

/// GAE: `delta_t = r_t + gamma V_{t+1} - V_t`, `A_t = delta_t + gamma lambda A_{t+1}`, returns
/// `A + V`.
pub const GAE: Recipe = Recipe {
    name: "gae",
    title: "generalised advantage estimation with a critic",
    citation: "Schulman et al. 2016, arXiv 1506.02438",
    family: "baselines",
    kind: Kind::Advantage,
    objective: ("ppo_clip", &[("value_coef", "0.5")]),
    formula: "A_t = delta_t + gamma * lambda * A_{t+1}",
    fidelity: Fidelity::Reference,
    deviations: "observation tokens are no steps and the outcome reward lands on the last trainable token; masked_tokens names the other conventions",
    inputs: &[],
    parameters: &[PRESET, PARAMETERS, REWARD, DIVERGENCE, RETURNS, &[WHITEN_OFF], WHITENING],
    plan: |parameters| Ok(plan(parameters)?.into()),
};

fn plan(parameters: &Parameters) -> Result<Credit> {
    let gamma = parameters.number("gamma")?;
    let passing = passing(parameters)?;
    let values = match parameters.text("values")? {
        "critic" => signal("token_values"),
        "none" => when(mask(), 0.0, 0.0),
        _ => return Err(parameters.unknown("values", &["critic", "none"])),
    };
    let values = if passing == Passing::OrdinaryZero { when(mask(), values, 0.0) } else { values };
    let rewards = passing.rewards(rewards(parameters)?);
    let credit = Credit::new().define("token_rewards", rewards).define("values", values);
    let estimate =
        |lambda: Expr| gae(signal("token_rewards"), signal("values"), gamma, lambda, passing.members());
    let lambda = value(parameters.number("lam")?);
    let for_returns = parameters.optional_number("lam_value")?.map(value).unwrap_or_else(|| lambda.clone());
    let for_advantages = match parameters.get("lam_policy") {
        serde_json::Value::Null => lambda,
        serde_json::Value::Number(_) => value(parameters.number("lam_policy")?),
        _ if parameters.text("lam_policy")? == "1 - 1/(alpha*length), clamped to [0,1]" => {
            (1.0 - 1.0 / (parameters.number("alpha")? * trainable_tokens())).clamp(0.0, 1.0)
        }
        _ => {
            return Err(
                parameters.unknown("lam_policy", &["a number", "1 - 1/(alpha*length), clamped to [0,1]"])
            );
        }
    };
    let credit = credit.returns(estimate(for_returns) + signal("values"));
    Ok(credit.advantage(whitened(parameters, estimate(for_advantages))?))
}

fn rewards(parameters: &Parameters) -> Result<Expr> {
    let Some(fields) = parameters.object("reward_norm", &["center", "scale", "ddof", "eps"])? else {
        return dense_rewards(parameters);
    };
    let mut norm = Norm::group_std(fields.number("eps")?.unwrap_or(1e-6));
    norm.ddof = fields.number("ddof")?.unwrap_or(1.0) as u8;
    if fields.text("center")? != "group_mean" {
        return Err(fields.unknown("center", &["group_mean"]));
    }
    match fields.text("scale")? {
        "group_std" => {}
        "none" => norm.scale = Scale::None,
        _ => return Err(fields.unknown("scale", &["group_std", "none"])),
    }
    let penalty = divergence::penalty(parameters)?;
    let score = normalize(reward(parameters, penalty.as_ref())?, &norm);
    Ok(if_present(token_rewards(parameters, score, penalty.as_ref())?, value(0.0)))
}
