//! REINFORCE with a penalty on the squared log-ratio.

use meed_operators::objectives::surrogate::squared_log_ratio_reinforce;

use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, ANCHOR, SEEN, SPAN, TERMS, WEIGHTS, policy};
use crate::parameters::{Parameter, parameter};

const PARAMETERS: &[Parameter] = &[parameter("tau", "0.1", "coefficient of the penalty")];

/// `-A log pi + tau/2 (log r)^2`.
pub const SQUARED_LOG_RATIO_REINFORCE: NamedObjective = NamedObjective {
    name: "squared_log_ratio_reinforce",
    title: "REINFORCE regularised by the squared log-ratio",
    citation: "Kimi k1.5, arXiv 2501.12599; ROLL kimi15",
    formula: "-A log pi + tau/2 (log r)^2",
    parameters: &[PARAMETERS, ANCHOR, &SPAN, SEEN, WEIGHTS, &AGGREGATE, TERMS],
    build: |parameters| {
        let surrogate = squared_log_ratio_reinforce(parameters.number("tau")?);
        Ok(Box::new(policy("squared_log_ratio_reinforce", parameters, surrogate)?))
    },
};
