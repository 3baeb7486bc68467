//! SRUM: imitation of the model's own image where it is good, and of the reference image.

use meed_operators::objectives::{Loss, exact};

use super::steps::trained;
use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::parameter;

/// `L = mean of M |v_theta(x_own) - u_own|^2 + lambda |v_theta(x_ref) - u_ref|^2` over latent cells, with `u` the
/// noise less the image.
///
/// A position is a cell of the latent. Signals, one value per cell: `cell_weights` (`M`, of the recipe `srum`),
/// `squared_errors` of the model's own image, and `reference_errors` of the reference image, with respect to which
/// gradients are.
pub const SRUM: NamedObjective = NamedObjective {
    name: "srum",
    title: "imitation of an image, weighted by region, and of a reference image",
    citation: "SRUM: Fine-Grained Self-Rewarding for Unified Multimodal Models; WayneJin0918/SRUM",
    formula: "mean M |v(x_own) - u_own|^2 + lambda |v(x_ref) - u_ref|^2",
    parameters: &[&[parameter("lambda", "0.1", "weight of the reference image")]],
    build: |parameters| {
        let lambda = parameters.number("lambda")?;
        Ok(function("srum", move |columns| {
            let weights = columns.token_signal("cell_weights")?;
            let share = 1.0 / trained(columns).max(1.0);
            let mut loss = Loss::zero(columns);
            let parts: [(&str, &dyn Fn(usize) -> f64); 2] =
                [("squared_errors", &|t| share * weights[t]), ("reference_errors", &|_| lambda * share)];
            for (name, weight) in parts {
                let errors = columns.token_signal(name)?;
                let on = |value: &dyn Fn(usize) -> f64| -> Vec<f64> {
                    (0..columns.tokens()).map(|t| if columns.mask[t] { value(t) } else { 0.0 }).collect()
                };
                let part = exact(on(&|t| weight(t) * errors[t]));
                loss.value += part;
                loss.parts.insert(name.into(), part);
                loss.signals.insert(name.into(), on(weight));
            }
            Ok(loss)
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "equations: as the code, with the mean over all cells of the batch";
