//! Parameters of the terms that are added to a policy loss: divergence, entropy, values.

use meed_operators::Result;
use meed_operators::objectives::policy::Term;
use meed_operators::objectives::{Aggregate, EntropyBonus, ErrorLoss, Mode, ValueLoss};

use super::divergence::{KL_MEANING, divergence};
use crate::parameters::{Parameter, Parameters, parameter};

/// Terms that are added.
pub const TERMS: &[Parameter] = &[
    parameter("kl", "null", KL_MEANING),
    parameter("entropy_coef", "0", "coefficient of the entropy bonus"),
    parameter(
        "entropy_aggregate",
        "null",
        "null (as the policy loss), token_mean or seq_mean_token_mean: how entropies are averaged",
    ),
    parameter("value_coef", "0", "coefficient of the critic's loss"),
    parameter("value_clip", "null", "how far a value may move before its loss is clipped"),
    parameter("value_half", "true", "the critic's token losses are halved"),
    parameter("value_error", "squared", "squared, or huber"),
    parameter("value_huber_delta", "10", "where the Huber loss becomes linear"),
];

/// The terms of the parameters.
///
/// # Errors
/// Unknown fields and values, by name.
pub fn terms(parameters: &Parameters) -> Result<Vec<Box<dyn Term>>> {
    let mut terms: Vec<Box<dyn Term>> = Vec::new();
    if let Some(divergence) = divergence(parameters.get("kl"))? {
        terms.push(Box::new(divergence));
    }
    let coef = parameters.number("entropy_coef")?;
    if coef != 0.0 {
        let aggregate: Option<Aggregate> = match parameters.text("entropy_aggregate")? {
            "" => None,
            "token_mean" => Some(Mode::TokenMean.into()),
            "seq_mean_token_mean" => Some(Mode::SequenceMeanTokenMean.into()),
            _ => {
                return Err(parameters.unknown("entropy_aggregate", &["token_mean", "seq_mean_token_mean"]));
            }
        };
        terms.push(Box::new(EntropyBonus { coef, aggregate }));
    }
    let value = value_loss(parameters)?;
    if value.coef != 0.0 {
        terms.push(Box::new(value));
    }
    Ok(terms)
}

/// The critic's loss of the parameters.
///
/// # Errors
/// Unknown values, by name.
pub fn value_loss(parameters: &Parameters) -> Result<ValueLoss> {
    let error = match parameters.text("value_error")? {
        "squared" => ErrorLoss::Squared,
        "huber" => ErrorLoss::Huber { delta: parameters.number("value_huber_delta")? },
        _ => return Err(parameters.unknown("value_error", &["squared", "huber"])),
    };
    Ok(ValueLoss {
        coef: parameters.number("value_coef")?,
        clip: parameters.optional_number("value_clip")?,
        half: parameters.boolean("value_half")?,
        error,
        aggregate: None,
    })
}
