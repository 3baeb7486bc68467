//! A symmetric mask by the movement of the token's probability.

use meed_operators::objectives::{Movement, Region, TrustRegion};

use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, ANCHOR, SEEN, SPAN, TERMS, WEIGHTS, policy, ratio};
use crate::parameters::{Parameter, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("threshold", "0.1", "largest movement that is kept"),
    parameter("squared_log_ratio_coef", "0", "coefficient of (log r)^2, dropped tokens included"),
];

/// `-A r, 0 where |pi - pi_anchor| > threshold; + c (log r)^2`.
pub const IPO_TV: NamedObjective = NamedObjective {
    name: "ipo_tv",
    title: "a symmetric trust region of total variation",
    citation: "prime-rl",
    formula: "-A r, 0 where |pi - pi_anchor| > threshold; + c (log r)^2",
    parameters: &[PARAMETERS, ANCHOR, &SPAN, SEEN, WEIGHTS, &AGGREGATE, TERMS],
    build: |parameters| {
        let region = Region::Symmetric(parameters.number("threshold")?);
        let surrogate = TrustRegion {
            anchor: ratio(parameters)?.anchor,
            squared_log_ratio: parameters.number("squared_log_ratio_coef")?,
            ..TrustRegion::new(Movement::TotalVariation, region)
        };
        Ok(Box::new(policy("ipo_tv", parameters, surrogate)?))
    },
};
