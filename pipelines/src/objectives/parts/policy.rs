//! A policy objective from the parameters that all of them share.

use meed_operators::Result;
use meed_operators::objectives::surrogate;
use meed_operators::objectives::{
    Advantages, Objective, PolicyObjective, Selected, Selection, Sum, Surrogate,
};

use super::aggregate::aggregate;
use super::ratio::ratio;
use super::terms::terms;
use super::weights::weightings;
use crate::parameters::{Parameter, Parameters, parameter};

/// What the surrogate sees.
pub const SEEN: &[Parameter] = &[parameter(
    "advantage",
    "token",
    "token: each token's own; row_mean: the mean over the rollout's trainable tokens",
)];

/// A likelihood term on good rollouts, for objectives that are built by [`with_likelihood`].
pub const LIKELIHOOD: &[Parameter] = &[parameter(
    "positive_nll",
    "null",
    "null, or {weight, signal: reward}: adds weight times the token mean of -log pi over rollouts whose signal is above 0",
)];

/// A surrogate with the anchor, ratio, weights, aggregate and terms of the parameters.
///
/// # Errors
/// Unknown values, by name.
pub fn policy(
    name: &str,
    parameters: &Parameters,
    surrogate: impl Surrogate + 'static,
) -> Result<PolicyObjective> {
    let mut objective = PolicyObjective::new(name, surrogate);
    objective.ratio = ratio(parameters)?;
    objective.advantages = match parameters.text("advantage")? {
        "token" | "" => Advantages::Token,
        "row_mean" => Advantages::RowMean,
        _ => return Err(parameters.unknown("advantage", &["token", "row_mean"])),
    };
    objective.weightings = weightings(parameters)?;
    objective.aggregate = aggregate(parameters)?;
    objective.terms = terms(parameters)?;
    Ok(objective)
}

/// The objective as it is, or with the likelihood term of `positive_nll`.
///
/// # Errors
/// Unknown fields, by name.
pub fn with_likelihood(objective: PolicyObjective, parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let Some(fields) = parameters.object("positive_nll", &["weight", "signal"])? else {
        return Ok(Box::new(objective));
    };
    let signal = match fields.text("signal")? {
        "" => "reward",
        signal => signal,
    };
    let mut likelihood =
        PolicyObjective::boxed("negative_log_likelihood", surrogate::negative_log_likelihood());
    likelihood.advantages = Advantages::Absent;
    let positive =
        Selected { selection: Selection::PositiveRows(signal.to_owned()), objective: Box::new(likelihood) };
    let weight = fields.number("weight")?.unwrap_or(1.0);
    let name = objective.name.clone();
    Ok(Box::new(Sum { name, terms: vec![(1.0, Box::new(objective)), (weight, Box::new(positive))] }))
}
