//! Turns: which is the last, what they are compared with, and how a turn passes on what comes after it.

use meed_operators::Result;
use meed_operators::credit::{
    By, Center, Expr, Norm, ROLLOUT, Reduction, Running, Scale, TURN, group, value, when,
};

use crate::parameters::{Parameter, Parameters, parameter};

/// True at the last policy turn of the rollout.
pub fn is_last_turn() -> Expr {
    value(1.0).at_last(TURN).equals(1.0)
}

/// Number of policy turns before the turn.
pub fn turns_before() -> Expr {
    value(1.0).spread(TURN).scan(Running::Count).exclusive()
}

/// Number of policy turns of the rollout.
pub fn policy_turns() -> Expr {
    value(1.0).spread(TURN).reduce(ROLLOUT, Reduction::Count)
}

/// What the policy steps of a turn have, which is that of the last step that has one.
pub fn by_turn(steps: Expr) -> Expr {
    steps.reduce(TURN, Reduction::Last)
}

/// A reduction of what the policy's steps or tokens of a turn have; null where one of them has nothing.
pub fn all_by_turn(x: Expr, reduction: Reduction) -> Expr {
    let unknown = x.clone().is_null().reduce(TURN, Reduction::Any).empty(0.0);
    x.reduce(TURN, reduction) + value(0.0).null_if(unknown)
}

/// The same before the last turn, where it is null. A rollout without the list is left out.
pub fn before_last_turn(x: Expr) -> Expr {
    x + value(0.0).null_if(is_last_turn())
}

/// `y_t = x_t + gamma y_{t+1}`; a turn without a value is part of the one after it, and takes its `y`.
pub fn return_from_known(x: Expr, gamma: f64) -> Expr {
    x.clone().or_else(0.0).recur(when(x.is_null(), 1.0, gamma))
}

/// Every turn without a value takes that of the next one that has one.
pub fn from_next_known(x: Expr) -> Expr {
    return_from_known(x, 0.0)
}

/// The turns of the group with as many of the policy's turns before them.
pub fn same_turn() -> By {
    group().and(turns_before())
}

/// Mean and deviation of the members with the same key.
pub fn norm_by(by: By, norm: Norm) -> Norm {
    let scale = if norm.scale == Scale::None { Scale::None } else { Scale::Std(by.clone()) };
    Norm { center: Center::Mean(by), scale, ..norm }
}

/// Whether something is divided by the group's deviation.
pub const SCALE: &[Parameter] = &[parameter("scale", "std", "std: divided by the deviation; none")];

/// The deviation that [`SCALE`] means.
pub fn scale(parameters: &Parameters) -> Result<Scale> {
    match parameters.text("scale")? {
        "std" => Ok(Scale::Std(group())),
        "none" => Ok(Scale::None),
        _ => Err(parameters.unknown("scale", &["std", "none"])),
    }
}

/// What becomes of a turn that gains nothing.
pub const ZERO_GAINS: &[Parameter] = &[parameter(
    "zero_gains",
    "turns",
    "a turn whose gain is exactly 0: turns (it is one like any other), merged (it is part of the next one)",
)];

/// Information gains of turns, null where a turn is part of the next one.
pub fn gains(parameters: &Parameters, gains: Expr) -> Result<Expr> {
    Ok(match parameters.text("zero_gains")? {
        "turns" => gains,
        "merged" => gains.clone().null_if(gains.equals(0.0)),
        _ => return Err(parameters.unknown("zero_gains", &["turns", "merged"])),
    })
}

/// The normalisation of information gains in the group: population variance with 1e-8 inside the root and
/// `eps` outside; a pool of one gives 0.
pub fn gain_norm(parameters: &Parameters) -> Result<Norm> {
    let eps = parameters.number("eps")?;
    Ok(Norm { scale: scale(parameters)?, ddof: 0, variance_eps: 1e-8, ..Norm::group_std(eps) })
}
