//! Normalisation among units that several values stand for: each unit counts once.

use meed_operators::Result;
use meed_operators::credit::{
    By, Center, Expr, Members, Norm, Scale, Singleton, mean, members, normalize, rank, std, when,
};

use crate::parameters::Parameters;
use crate::parts::group::group_norm_by;
use crate::parts::steps::truth;

/// `x` at the first value of each unit in canonical order, null at the others: what a statistic counts once per
/// unit. Only `who` takes part.
pub fn once_per_unit(x: Expr, unit: By, who: Members) -> Expr {
    let first = rank(x.clone(), unit, true).over(who).equals(0.0).or_else(truth().negated());
    x.null_if(first.negated())
}

/// `x` normalised by the parameters of a group advantage among the values with the same key `among`, of which
/// those with the same key `unit` are one: it counts once. Only `who` takes part.
pub fn among_units(parameters: &Parameters, x: Expr, unit: By, among: By, who: Members) -> Result<Expr> {
    let norm = group_norm_by(parameters, among.clone())?;
    let once = once_per_unit(x.clone(), unit, who);
    let only = match norm.singleton {
        Singleton::Raw => x.clone(),
        Singleton::RawOverOnePlusEps => x.clone() / (1.0 + norm.eps),
        _ => x.clone() * 0.0,
    };
    let norm = Norm {
        center: Center::Given(mean(once.clone(), among.clone())),
        scale: match norm.scale {
            Scale::None => Scale::None,
            _ => Scale::Given(std(once.clone(), among.clone(), norm.ddof).or_else(0.0)),
        },
        singleton: Singleton::Formula,
        ..norm
    };
    let alone = members(once, among).equals(1.0);
    Ok(when(alone, only, normalize(x, &norm)))
}
