//! Truncated importance sampling of the policy gradient.

use meed_operators::objectives::surrogate::capped_weight;

use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, ANCHOR, SEEN, SPAN, TERMS, WEIGHTS, policy};
use crate::parameters::{Parameter, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("lower", "0", "lower bound of the weight"),
    parameter("upper", "1", "upper bound of the weight"),
];

/// `-sg(clip(r, lower, upper)) A log pi`.
pub const TIS: NamedObjective = NamedObjective {
    name: "tis",
    title: "REINFORCE with a truncated importance weight",
    citation: "Roux et al. 2025, arXiv 2503.14286; ROLL",
    formula: "-sg(clip(r, lower, upper)) A log pi",
    parameters: &[PARAMETERS, ANCHOR, &SPAN, SEEN, WEIGHTS, &AGGREGATE, TERMS],
    build: |parameters| {
        let (lower, upper) = (parameters.number("lower")?, parameters.number("upper")?);
        Ok(Box::new(policy("tis", parameters, capped_weight(lower, upper))?))
    },
};
