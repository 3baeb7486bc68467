//! Importance weights that are 0 outside a range.

use meed_operators::objectives::surrogate::inside_weight;

use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, ANCHOR, SEEN, SPAN, TERMS, WEIGHTS, policy};
use crate::parameters::{Parameter, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("clip_low", "0.2", "the lower end of the range is 1 - clip_low"),
    parameter("clip_high", "0.2", "the upper end of the range is 1 + clip_high"),
];

/// `-sg(r) A log pi if 1 - clip_low < r < 1 + clip_high else 0`.
pub const CALIBRATED_IS: NamedObjective = NamedObjective {
    name: "calibrated_is",
    title: "REINFORCE with the importance weight inside an open range, 0 outside",
    citation: "SkyRL",
    formula: "-sg(r) A log pi if 1 - clip_low < r < 1 + clip_high else 0",
    parameters: &[PARAMETERS, ANCHOR, &SPAN, SEEN, WEIGHTS, &AGGREGATE, TERMS],
    build: |parameters| {
        let (low, high) = (1.0 - parameters.number("clip_low")?, 1.0 + parameters.number("clip_high")?);
        Ok(Box::new(policy("calibrated_is", parameters, inside_weight(low, high))?))
    },
};
