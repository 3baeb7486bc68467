//! TOPR: tapered off-policy REINFORCE.

use meed_operators::objectives::Topr;

use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, ANCHOR, SEEN, SPAN, TERMS, WEIGHTS, policy};
use crate::parameters::{Parameter, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("positive_weight", "1", "weight of rollouts whose reward is above 0"),
    parameter("negative_weight", "1", "weight of the others, times their ratio"),
    parameter("negative_lower", "0", "lower bound of that ratio"),
    parameter("negative_upper", "1", "upper bound of that ratio"),
];

/// `-w A log pi, w = positive_weight if reward > 0 else negative_weight clip(r)`.
pub const TOPR: NamedObjective = NamedObjective {
    name: "topr",
    title: "positive rollouts as they are, the others with a truncated weight",
    citation: "Roux et al. 2025, arXiv 2503.14286",
    formula: "-w A log pi, w = positive_weight if reward > 0 else negative_weight clip(r)",
    parameters: &[PARAMETERS, ANCHOR, &SPAN, SEEN, WEIGHTS, &AGGREGATE, TERMS],
    build: |parameters| {
        let bounds = (parameters.number("negative_lower")?, parameters.number("negative_upper")?);
        let (positive, negative) =
            (parameters.number("positive_weight")?, parameters.number("negative_weight")?);
        Ok(Box::new(policy("topr", parameters, Topr { positive, negative, bounds })?))
    },
};
