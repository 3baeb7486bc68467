//! Clip-Cov: no loss on some tokens of high covariance.

use meed_operators::Result;
use meed_operators::objectives::{ClipCov, Objective};

use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, ANCHOR, SEEN, SPAN, TERMS, WEIGHTS, clip, clip_by, policy};
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("cov_ratio", "2e-4", "fraction of the trainable tokens that is chosen, at least one"),
    parameter("cov_lower", "1", "lower bound of the covariance"),
    parameter("cov_upper", "5", "upper bound of the covariance"),
    parameter("seed", "0", "seed of the choice"),
];

/// `max(-A r, -A clip(r)), 0 on chosen tokens with cov_lower < cov(A, log pi) < cov_upper`.
pub const CLIP_COV: NamedObjective = NamedObjective {
    name: "clip_cov",
    title: "the clip, and no loss on a random choice of tokens of high covariance",
    citation: "Cui et al. 2025, arXiv 2505.22617",
    formula: "max(-A r, -A clip(r)), 0 on chosen tokens with cov_lower < cov(A, log pi) < cov_upper",
    parameters: &[PARAMETERS, &clip_by("0.2", "0.2"), ANCHOR, &SPAN, SEEN, WEIGHTS, &AGGREGATE, TERMS],
    build,
};

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let surrogate = ClipCov {
        clip: clip(parameters)?,
        fraction: parameters.number("cov_ratio")?,
        lower: parameters.number("cov_lower")?,
        upper: parameters.number("cov_upper")?,
        seed: parameters.number("seed")? as u64,
    };
    Ok(Box::new(policy("clip_cov", parameters, surrogate)?))
}
