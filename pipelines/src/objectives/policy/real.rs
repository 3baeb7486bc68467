//! REAL: rewards as labels of a classification.

use meed_operators::objectives::real::{Form, Real};

use crate::objectives::NamedObjective;
use crate::parameters::{Parameter, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("variant", "real", "real, bce (binary cross-entropy) or product (circle loss)"),
    parameter("tau", "0.5", "temperature"),
];

/// `log(1 + sum_wrong exp(s/tau)) + log(1 + sum_right exp(-s/tau)), s = mean log r`.
pub const REAL: NamedObjective = NamedObjective {
    name: "real",
    title: "a classification loss over the sequences of each group",
    citation: "Zhai et al. 2026, arXiv 2602.05630",
    formula: "log(1 + sum_wrong exp(s/tau)) + log(1 + sum_right exp(-s/tau)), s = mean log r",
    parameters: &[PARAMETERS],
    build: |parameters| {
        let form = match parameters.text("variant")? {
            "real" => Form::Real,
            "bce" => Form::Bce,
            "product" => Form::Product,
            _ => return Err(parameters.unknown("variant", &["real", "bce", "product"])),
        };
        Ok(Box::new(Real { form, tau: parameters.number("tau")? }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "as the code; groups need not be of equal size";
