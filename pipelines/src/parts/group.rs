//! The group-relative advantage that most methods start from, with the few choices they leave.

use meed_operators::Result;
use meed_operators::credit::{By, Center, Expr, Norm, Scale, Singleton, group, normalize};

use crate::parameters::{Parameter, Parameters, parameter};

/// Parameters of a group-relative advantage.
pub const GROUP: &[Parameter] = &[
    parameter("scale", "group_std", "what the centred value is divided by: group_std, none"),
    parameter("ddof", "1", "delta degrees of freedom of the deviation: 1 sample, 0 population"),
    parameter("eps", "1e-6", "added to the deviation"),
    parameter("singleton", "zero", "a group of one: zero, raw (the value itself)"),
];

/// `(score - mean(score)) / (std(score) + eps)` in the group, by the parameters [`GROUP`].
pub fn group_advantage(parameters: &Parameters, score: Expr) -> Result<Expr> {
    Ok(normalize(score, &group_norm(parameters)?))
}

/// The same among the values with the same key.
pub fn advantage_among(parameters: &Parameters, score: Expr, by: By) -> Result<Expr> {
    Ok(normalize(score, &group_norm_by(parameters, by)?))
}

/// The normalisation that [`GROUP`] means.
pub fn group_norm(parameters: &Parameters) -> Result<Norm> {
    group_norm_by(parameters, group())
}

/// The same among the members of a key of one's own, such as the agent in the group.
pub fn group_norm_by(parameters: &Parameters, by: By) -> Result<Norm> {
    let scale = match parameters.text("scale")? {
        "group_std" => Scale::Std(by.clone()),
        "none" => Scale::None,
        _ => return Err(parameters.unknown("scale", &["group_std", "none"])),
    };
    let singleton = match parameters.text("singleton")? {
        "zero" => Singleton::Zero,
        "raw" if scale == Scale::None => Singleton::Raw,
        "raw" => Singleton::RawOverOnePlusEps,
        _ => return Err(parameters.unknown("singleton", &["zero", "raw"])),
    };
    let ddof = parameters.small("ddof")?;
    let norm = Norm::group_std(parameters.number("eps")?);
    Ok(Norm { center: Center::Mean(by), scale, ddof, singleton, ..norm })
}
