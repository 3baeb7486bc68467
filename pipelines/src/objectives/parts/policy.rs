//! A policy objective from the parameters that all of them share.

use meed_operators::Result;
use meed_operators::objectives::{PolicyObjective, Surrogate};

use super::aggregate::aggregate;
use super::divergence::divergence;
use super::ratio::ratio;
use crate::parameters::Parameters;

/// A surrogate with the anchor, ratio, aggregate and terms of the parameters.
///
/// # Errors
/// Unknown values, by name.
pub fn policy(name: &str, parameters: &Parameters, surrogate: Box<dyn Surrogate>) -> Result<PolicyObjective> {
    let mut objective = PolicyObjective::boxed(name, surrogate);
    objective.ratio = ratio(parameters)?;
    objective.aggregate = aggregate(parameters)?;
    if let Some(divergence) = divergence(parameters)? {
        objective.terms.push(Box::new(divergence));
    }
    Ok(objective)
}
