//! DRO: a quadratic trust region about the advantage.

use meed_operators::objectives::surrogate::squared_log_ratio_reinforce;

use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, ANCHOR, SEEN, SPAN, TERMS, WEIGHTS, policy};
use crate::parameters::{Parameter, parameter};

const PARAMETERS: &[Parameter] = &[parameter("beta", "0.05", "coefficient of the squared log-ratio")];

/// `-A log pi + beta/2 (log r)^2`.
pub const DRO: NamedObjective = NamedObjective {
    name: "dro",
    title: "the advantage against a squared log-ratio",
    citation: "Richemond et al. 2024, arXiv 2405.19107",
    formula: "-A log pi + beta/2 (log r)^2",
    parameters: &[PARAMETERS, ANCHOR, &SPAN, SEEN, WEIGHTS, &AGGREGATE, TERMS],
    build: |parameters| {
        let surrogate = squared_log_ratio_reinforce(parameters.number("beta")?);
        Ok(Box::new(policy("dro", parameters, surrogate)?))
    },
};
