//! Derived expressions along rollouts and inside groups: returns, advantages, soft weights.

use crate::credit::build::{maximum, mean, members, minimum, rank, sum, trainable, value, when};
use crate::credit::expression::{By, Expr, Members, Running};

/// Mean of the other members with the same key; null for the only one.
///
/// ```
/// use meed_operators::credit::*;
/// assert_eq!(leave_one_out(signal("reward"), group()).to_string(), "mean(reward, by(group), of others)");
/// ```
pub fn leave_one_out(x: Expr, by: By) -> Expr {
    mean(x, by).of_others()
}

/// `sum_{k >= t} gamma^{k - t} x_k`, where only members are steps of the discount.
pub fn return_to_go(x: Expr, gamma: f64) -> Expr {
    x.recur(gamma)
}

/// `min_{k >= t} x_k`.
pub fn min_to_go(x: Expr) -> Expr {
    x.scan(Running::Min).backward()
}

/// The difference to the value before; `initial` before the first.
pub fn difference(x: Expr, initial: Option<Expr>) -> Expr {
    x.clone() - x.shift(1, initial)
}

/// Generalised advantage estimation (Schulman et al., 2016): `delta_t = r_t + gamma V_{t+1} - V_t`,
/// `A_t = delta_t + gamma lambda A_{t+1}`, over `who`; the value after the last member is 0.
pub fn gae(rewards: Expr, values: Expr, gamma: f64, lambda: impl Into<Expr>, who: Members) -> Expr {
    let next = values.clone().shift(-1, Some(value(0.0))).over(who.clone());
    let delta = rewards + gamma * next - values;
    delta.recur(gamma * lambda.into()).over(who)
}

/// `(x - min) / (max - min)` among the members with the same key; 0 where they are all equal.
pub fn min_max(x: Expr, by: By) -> Expr {
    let least = minimum(x.clone(), by.clone());
    let range = maximum(x.clone(), by) - least.clone();
    when(range.clone().equals(0.0), x.clone() * 0.0, (x - least) / range)
}

/// `exp(x) / sum(exp(x))` among the members with the same key.
pub fn softmax(x: Expr, by: By) -> Expr {
    let weight = (x.clone() - maximum(x, by.clone())).exp();
    weight.clone() / sum(weight, by)
}

/// `softmax(-x)`.
pub fn softmin(x: Expr, by: By) -> Expr {
    softmax(-x, by)
}

/// True for the `fraction` of members with the greatest values, rounded down; ties in canonical
/// order.
pub fn top(x: Expr, fraction: f64, by: By) -> Expr {
    let keep = (members(x.clone(), by.clone()) * fraction).floor();
    rank(x, by, false).over(trainable()).less(keep)
}
