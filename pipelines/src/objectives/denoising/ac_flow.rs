//! AC-Flow: imitation of velocities, weighted by the exponential of the advantage, near the reference.

use meed_operators::objectives::{Loss, exact};

use super::steps::{advantages, trained};
use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::parameter;

/// `L = mean of exp(tau A) |v_theta - u|^2 + beta |v_theta - v_ref|^2` over trained steps, with `u` the noise
/// less the sample.
///
/// Signals, one value per step: `squared_errors` for the first distance and, where `beta` is not 0,
/// `reference_errors` for the second. Gradients are with respect to both.
pub const AC_FLOW: NamedObjective = NamedObjective {
    name: "ac_flow",
    title: "advantage-weighted flow matching near the reference",
    citation: "Fine-tuning Flow Matching Generative Models with Intermediate Feedback, arXiv 2510.18072",
    formula: "mean exp(tau A) |v - u|^2 + beta |v - v_ref|^2",
    parameters: &[&[
        parameter("tau", "1.0", "how sharply advantages are preferred; a guess"),
        parameter("beta", "0.1", "weight of the distance from the reference; a guess"),
    ]],
    build: |parameters| {
        let (tau, beta) = (parameters.number("tau")?, parameters.number("beta")?);
        Ok(function("ac_flow", move |columns| {
            let (advantages, errors) = (advantages(columns)?, columns.token_signal("squared_errors")?);
            let share = 1.0 / trained(columns).max(1.0);
            let on = |value: &dyn Fn(usize) -> f64| -> Vec<f64> {
                (0..columns.tokens()).map(|t| if columns.mask[t] { value(t) } else { 0.0 }).collect()
            };
            let weights = on(&|t| share * (tau * advantages[t]).exp());
            let weighted = on(&|t| weights[t] * errors[t]);
            let mut loss = Loss { value: exact(weighted), ..Loss::zero(columns) };
            loss.parts.insert("imitation".into(), loss.value);
            loss.signals.insert("squared_errors".into(), weights);
            if beta != 0.0 {
                let distances = columns.token_signal("reference_errors")?;
                let distance = exact(on(&|t| share * distances[t]));
                loss.value += beta * distance;
                loss.parts.insert("reference_distance".into(), distance);
                loss.signals.insert("reference_errors".into(), on(&|_| beta * share));
            }
            Ok(loss)
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "reconstructed: the base loss is that of ORW-CFM-W2; guessed are exp(tau A) as the \
    weight, tau and beta";
