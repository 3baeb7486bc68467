//! The reverse divergence from a reference, as a policy gradient.

use meed_operators::Result;
use meed_operators::objectives::{Advantages, Movement, Objective, Region, TrustRegion};

use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, ANCHOR, SEEN, SPAN, TERMS, WEIGHTS, policy, ratio};
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("delta_low", "0.2", "largest fall of a token's probability that is kept"),
    parameter("squared_log_ratio_coef", "0", "coefficient of (log r)^2, dropped tokens included"),
];

/// `-sg(log pi_ref - log pi) r, 0 where pi - pi_rollout < -delta_low; + c (log r)^2`.
pub const REVERSE_KL_TO_REFERENCE: NamedObjective = NamedObjective {
    name: "reverse_kl_to_reference",
    title: "on-policy distillation as an importance-weighted gradient",
    citation: "prime-rl ref_kl",
    formula: "-sg(log pi_ref - log pi) r, 0 where pi - pi_rollout < -delta_low; + c (log r)^2",
    parameters: &[PARAMETERS, ANCHOR, &SPAN, SEEN, WEIGHTS, &AGGREGATE, TERMS],
    build,
};

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let low = parameters.number("delta_low")?;
    let region = Region::Directed { low, high: f64::INFINITY, zero_kept: false };
    let surrogate = TrustRegion {
        anchor: ratio(parameters)?.anchor,
        squared_log_ratio: parameters.number("squared_log_ratio_coef")?,
        reverse_kl: true,
        ..TrustRegion::new(Movement::TotalVariation, region)
    };
    let mut objective = policy("reverse_kl_to_reference", parameters, surrogate)?;
    objective.advantages = Advantages::Absent;
    Ok(Box::new(objective))
}
