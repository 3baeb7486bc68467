//! SAPO: a soft gate in place of the clip.

use meed_operators::objectives::surrogate::soft_gate;

use crate::objectives::NamedObjective;
use crate::objectives::parts::{ANCHOR, SEEN, SPAN, TERMS, WEIGHTS, aggregate_by, policy};
use crate::parameters::{Parameter, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("tau_pos", "1.0", "temperature where the advantage is positive"),
    parameter("tau_neg", "1.05", "temperature elsewhere"),
];

/// `-4/tau sigmoid(tau (r - 1)) A, tau = tau_pos if A > 0 else tau_neg`.
pub const SAPO: NamedObjective = NamedObjective {
    name: "sapo",
    title: "a sigmoid gate about the ratio 1",
    citation: "Gao et al. 2025, arXiv 2511.20347",
    formula: "-4/tau sigmoid(tau (r - 1)) A, tau = tau_pos if A > 0 else tau_neg",
    parameters: &[PARAMETERS, ANCHOR, &SPAN, SEEN, WEIGHTS, &aggregate_by("seq_mean_token_mean"), TERMS],
    build: |parameters| {
        let (positive, negative) = (parameters.number("tau_pos")?, parameters.number("tau_neg")?);
        Ok(Box::new(policy("sapo", parameters, soft_gate(positive, negative))?))
    },
};
