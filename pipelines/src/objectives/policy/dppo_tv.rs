//! DPPO: a mask by the movement of the token's probability.

use meed_operators::Result;
use meed_operators::objectives::{Movement, PolicyObjective, Region, TrustRegion};

use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, ANCHOR, SEEN, SPAN, TERMS, WEIGHTS, policy, ratio};
use crate::parameters::{Parameter, Parameters, parameter};

/// The region and penalty that both forms share.
pub const TRUST_REGION: &[Parameter] = &[
    parameter("delta_low", "0.2", "largest fall that is kept"),
    parameter("delta_high", "0.2", "largest rise that is kept"),
    parameter(
        "ratio_cap",
        "null",
        "the ratio is capped here and held fixed; null: the gradient flows through it",
    ),
    parameter("zero_advantage", "low", "tokens of advantage 0: low (as negative ones), or kept"),
    parameter("advantage_scale", "1", "multiplies advantages"),
    parameter("squared_log_ratio_coef", "0", "coefficient of (log r)^2, dropped tokens included"),
];

/// `-A r, 0 where the probability moved beyond delta in the direction of A`.
pub const DPPO_TV: NamedObjective = NamedObjective {
    name: "dppo_tv",
    title: "a trust region of total variation in place of the clip",
    citation: "arXiv 2602.04879",
    formula: "-A r, 0 where the probability moved beyond delta in the direction of A",
    parameters: &[TRUST_REGION, ANCHOR, &SPAN, SEEN, WEIGHTS, &AGGREGATE, TERMS],
    build: |parameters| Ok(Box::new(trust_region("dppo_tv", Movement::TotalVariation, parameters)?)),
};

/// A trust region of the parameters.
pub fn trust_region(
    name: &'static str,
    movement: Movement,
    parameters: &Parameters,
) -> Result<PolicyObjective> {
    let zero_kept = match parameters.text("zero_advantage")? {
        "low" => false,
        "kept" => true,
        _ => return Err(parameters.unknown("zero_advantage", &["low", "kept"])),
    };
    let region = Region::Directed {
        low: parameters.number("delta_low")?,
        high: parameters.number("delta_high")?,
        zero_kept,
    };
    let surrogate = TrustRegion {
        anchor: ratio(parameters)?.anchor,
        ratio_cap: parameters.optional_number("ratio_cap")?,
        advantage_scale: parameters.number("advantage_scale")?,
        squared_log_ratio: parameters.number("squared_log_ratio_coef")?,
        ..TrustRegion::new(movement, region)
    };
    policy(name, parameters, surrogate)
}
