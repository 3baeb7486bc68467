//! From dense token rewards to advantages: by a critic, or as plain returns.

use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, Members, gae, mask, signal, trainable, value, when};

use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::divergence::{Into, penalty};
use crate::parts::steps::is_known;
use crate::parts::whitening::whitened;

/// Parameters of the estimate.
pub const ESTIMATE: &[Parameter] = &[
    parameter(
        "values",
        "critic",
        "critic: token_values; none: all values are 0, so that lam=1 gives returns",
    ),
    parameter("gamma", "1.0", "discount per trainable token"),
    parameter("lam", "1.0", "lambda of the advantage estimate"),
    parameter(
        "kl",
        "null",
        "divergence penalty in the token rewards: {coef, estimator: k1|k2|k3|abs, clamp_value, given}",
    ),
];

/// GAE over the trainable tokens, whitened where the parameters of whitening say so, with `token_rewards` and
/// `returns` kept.
pub fn estimated(parameters: &Parameters, credit: Credit, rewards: Expr) -> Result<Credit> {
    estimated_between(parameters, credit, rewards, None)
}

/// The same where neither value nor trace crosses the tokens for which `ends` is true: each part is an episode
/// of its own.
pub fn estimated_inside(
    parameters: &Parameters,
    credit: Credit,
    rewards: Expr,
    ends: Expr,
) -> Result<Credit> {
    estimated_between(parameters, credit, rewards, Some(ends))
}

fn estimated_between(
    parameters: &Parameters,
    credit: Credit,
    rewards: Expr,
    ends: Option<Expr>,
) -> Result<Credit> {
    let rewards = match penalty(parameters)? {
        None => rewards,
        Some(penalty) if penalty.into == Into::Reward => rewards - when(mask(), penalty.tokens, 0.0),
        Some(_) => return Err(parameters.unknown("kl", &["{coef, estimator, where: reward}"])),
    };
    let values = match parameters.text("values")? {
        "critic" => signal("token_values"),
        "none" => when(mask(), 0.0, 0.0),
        _ => return Err(parameters.unknown("values", &["critic", "none"])),
    };
    let (gamma, lam) = (parameters.number("gamma")?, parameters.number("lam")?);
    let shaped = signal("token_rewards");
    let advantage = match ends {
        None => gae(shaped, values.clone(), gamma, lam, trainable()),
        Some(ends) => {
            let discount = when(ends, 0.0, gamma);
            discounted_gae(shaped, values.clone(), value(0.0), discount, lam, trainable())
        }
    };
    // A part of a critic's values would count in what whitens those of others.
    let credit = match parameters.text("values")? {
        "critic" => credit.only_where(is_known(values.clone())),
        _ => credit,
    };
    let credit = credit.define("token_rewards", rewards).returns(advantage.clone() + values);
    Ok(credit.advantage(whitened(parameters, advantage)?))
}

/// Generalised advantage estimation with a discount of its own at each member: `delta_t = r_t + c_t V_{t+1} -
/// V_t`, `A_t = delta_t + c_t lambda A_{t+1}`. A discount of 0 ends an episode there; `after` is the value after
/// the last member.
pub fn discounted_gae(
    rewards: Expr,
    values: Expr,
    after: Expr,
    discount: Expr,
    lam: f64,
    who: Members,
) -> Expr {
    let next = values.clone().shift(-1, Some(after)).over(who.clone());
    let delta = rewards + discount.clone() * next - values;
    delta.recur(lam * discount).over(who)
}
