//! CISPO: the clipped ratio as a weight that is held fixed.

use meed_operators::Result;
use meed_operators::objectives::Objective;
use meed_operators::objectives::surrogate::{capped_weight, masked_weight};

use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, ANCHOR, SEEN, SPAN, TERMS, WEIGHTS, policy};
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("clip_low", "null", "the weight is at least 1 - clip_low; null: no lower bound"),
    parameter("clip_high", "0.28", "the weight is at most 1 + clip_high"),
    parameter("ratio_low", "null", "lower bound as an absolute ratio, in place of clip_low"),
    parameter("ratio_high", "null", "upper bound as an absolute ratio, in place of clip_high"),
    parameter("unified_mask", "false", "tokens that PPO would clip have no loss"),
];

/// `-sg(clip(r, low, high)) A log pi`.
pub const CISPO: NamedObjective = NamedObjective {
    name: "cispo",
    title: "REINFORCE with a capped importance weight",
    citation: "MiniMax 2025, arXiv 2506.13585",
    formula: "-sg(clip(r, low, high)) A log pi",
    parameters: &[PARAMETERS, ANCHOR, &SPAN, SEEN, WEIGHTS, &AGGREGATE, TERMS],
    build,
};

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let below = parameters.optional_number("clip_low")?.map_or(f64::NEG_INFINITY, |low| 1.0 - low);
    let low = parameters.optional_number("ratio_low")?.unwrap_or(below);
    let high = match parameters.optional_number("ratio_high")? {
        Some(high) => high,
        None => 1.0 + parameters.number("clip_high")?,
    };
    let masked = parameters.boolean("unified_mask")?;
    let surrogate = if masked { masked_weight(low, high) } else { capped_weight(low, high) };
    Ok(Box::new(policy("cispo", parameters, surrogate)?))
}
