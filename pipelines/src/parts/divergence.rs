//! Per-token divergence of the policy from a reference, by its usual estimators.

use meed_operators::Result;
use meed_operators::credit::{Expr, if_present, signal};

use crate::parameters::{Fields, Parameter, Parameters, parameter};

/// Parameters of a penalty on the divergence.
pub const DIVERGENCE: &[Parameter] = &[
    parameter(
        "kl",
        "null",
        "divergence penalty: {coef, estimator: k1|k2|k3|abs, where: reward|reward, every token|advantage, every token, clamp_value, given}",
    ),
    parameter(
        "kl_in_reward",
        "null",
        "the same penalty in other words: {coef, kind, clamp_log_ratio, clamp, accumulate, sum_over}",
    ),
];

/// Where the penalty goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Into {
    /// The reward of trainable tokens.
    Reward,
    /// The reward of every token.
    EveryReward,
    /// The advantage of the token itself.
    Advantage,
    /// The reward of the rollout, summed over every token.
    RolloutReward,
}

/// `coefficient * divergence` per token, to be subtracted.
pub struct Penalty {
    /// The penalty of each token.
    pub tokens: Expr,
    /// Where it goes.
    pub into: Into,
}

/// The penalty that the parameters describe; `None` without one.
pub fn penalty(parameters: &Parameters) -> Result<Option<Penalty>> {
    if let Some(fields) = parameters.object("kl", &["coef", "estimator", "where", "clamp_value", "given"])? {
        let into = match fields.text("where")? {
            "" | "reward" => Into::Reward,
            "reward, every token" => Into::EveryReward,
            "advantage, every token" => Into::Advantage,
            _ => {
                return Err(
                    fields.unknown("where", &["reward", "reward, every token", "advantage, every token"])
                );
            }
        };
        let coefficient = fields.number("coef")?.unwrap_or(0.0);
        if coefficient == 0.0 {
            return Ok(None);
        }
        let divergence = match fields.text("given")? {
            "" => estimator(&fields, "estimator", log_ratio(), fields.number("clamp_value")?)?,
            column => signal(column),
        };
        return Ok(Some(Penalty { tokens: coefficient * divergence, into }));
    }
    let Some(fields) = parameters
        .object("kl_in_reward", &["coef", "kind", "clamp_log_ratio", "clamp", "accumulate", "sum_over"])?
    else {
        return Ok(None);
    };
    let accumulate = fields.get("accumulate").as_bool().unwrap_or(true);
    let into = match fields.text("sum_over")? {
        "" if accumulate => Into::Reward,
        "" => Into::Advantage,
        "all response tokens" => Into::RolloutReward,
        _ => return Err(fields.unknown("sum_over", &["all response tokens"])),
    };
    let ratio = match fields.number("clamp_log_ratio")? {
        Some(bound) => log_ratio().clamp(-bound, bound),
        None => log_ratio(),
    };
    let divergence = estimator(&fields, "kind", ratio, fields.number("clamp")?)?;
    let coefficient = fields.number("coef")?.unwrap_or(0.0);
    Ok(Some(Penalty { tokens: coefficient * divergence, into }))
}

/// `log pi - log pi_ref` of each token.
pub fn log_ratio() -> Expr {
    policy_logprobs() - signal("token_ref_logprobs")
}

/// Log-probabilities of the policy that the update starts from; as sampled where the learner did
/// not recompute them.
pub fn policy_logprobs() -> Expr {
    if_present(
        signal("token_old_logprobs"),
        if_present(signal("token_rollout_logprobs"), signal("token_logprobs")),
    )
}

fn estimator(fields: &Fields, field: &str, ratio: Expr, clamp: Option<f64>) -> Result<Expr> {
    let name = match fields.text(field)? {
        "" => "k1",
        name => name,
    };
    let divergence = estimate(name, ratio).ok_or_else(|| fields.unknown(field, ESTIMATORS))?;
    Ok(match clamp {
        Some(bound) => divergence.clamp(-bound, bound),
        None => divergence,
    })
}

/// Names of the estimators.
pub const ESTIMATORS: &[&str] = &["k1", "k2", "k3", "abs"];

/// An estimate of the divergence from the log-ratio `log pi - log pi_ref`; `None` for another name.
pub fn estimate(name: &str, ratio: Expr) -> Option<Expr> {
    Some(match name {
        "k1" => ratio,
        "abs" => ratio.abs(),
        "k2" => 0.5 * ratio.square(),
        "k3" => {
            let other = -ratio;
            other.clone().exp() - other - 1.0
        }
        _ => return None,
    })
}
