//! What recipes of shaped rewards share: complete reductions of scores, and the credit that follows.

use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, Level, ROLLOUT, Reduction, signal, value};

use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::{GROUP, group_advantage};

/// The parameters [`GROUP`] with other defaults.
pub const fn group_with(ddof: &'static str, eps: &'static str) -> [Parameter; 4] {
    [GROUP[0], Parameter { default: ddof, ..GROUP[1] }, Parameter { default: eps, ..GROUP[2] }, GROUP[3]]
}

/// What the shaped reward is compared with, of methods that leave it to the trainer.
pub const BASELINE: &[Parameter] = &[parameter(
    "baseline",
    "group",
    "group: the shaped reward is compared in its group (GRPO); none: it is the advantage itself (REINFORCE)",
)];

/// The shaped reward as `rewards`, and as advantage what [`BASELINE`] (by default the group) makes of it.
pub fn credit_of(parameters: &Parameters, credit: Credit, shaped: Expr) -> Result<Credit> {
    let credit = credit.define("rewards", shaped);
    Ok(match parameters.text("baseline")? {
        "" | "group" => credit.advantage(group_advantage(parameters, signal("rewards"))?),
        "none" => credit.advantage(signal("rewards")),
        _ => return Err(parameters.unknown("baseline", &["group", "none"])),
    })
}

/// A reduction of a rollout's items that is null where one of them is; `empty` without any. A rollout without
/// the list is left out.
pub fn complete(x: Expr, reduction: Reduction, empty: Option<f64>) -> Expr {
    let reduced = x.clone().reduce(ROLLOUT, reduction);
    let reduced = match empty {
        Some(empty) => reduced.empty(empty),
        None => reduced,
    };
    // Under `null_if` a null list would not leave the rollout out, but pass for an empty one.
    reduced + all_known(x, ROLLOUT)
}

/// True where one of a rollout's items is null.
pub fn any_null(x: Expr) -> Expr {
    x.is_null().reduce(ROLLOUT, Reduction::Any).empty(0.0)
}

/// 0 where every item of the level's element has a value, else null: a term of sums that nothing may be missing from.
pub fn all_known(x: Expr, level: Level) -> Expr {
    value(0.0).null_if(x.is_null().reduce(level, Reduction::Any).empty(0.0))
}

/// `sum_c weight_c * column_c`. A column of weight 0 is not read.
pub fn weighted_sum(columns: &[&str], weights: &[f64]) -> Expr {
    let parts = columns.iter().zip(weights).filter(|(_, weight)| **weight != 0.0);
    let sum = parts.map(|(column, weight)| *weight * signal(*column)).reduce(|sum, part| sum + part);
    sum.unwrap_or_else(|| value(0.0))
}
