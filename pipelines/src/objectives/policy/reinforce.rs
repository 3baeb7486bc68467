//! REINFORCE: the plain policy gradient.

use meed_operators::objectives::surrogate::reinforce;

use crate::objectives::NamedObjective;
use crate::objectives::parts::{ANCHOR, SEEN, SPAN, TERMS, WEIGHTS, aggregate_by, policy};

/// `-A log pi`.
pub const REINFORCE: NamedObjective = NamedObjective {
    name: "reinforce",
    title: "the plain policy gradient",
    citation: "Williams 1992",
    formula: "-A log pi",
    parameters: &[ANCHOR, &SPAN, SEEN, WEIGHTS, &aggregate_by("seq_mean_token_sum"), TERMS],
    build: |parameters| Ok(Box::new(policy("reinforce", parameters, reinforce())?)),
};
