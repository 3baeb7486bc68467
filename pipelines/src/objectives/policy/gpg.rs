//! GPG: the plain policy gradient with the token mean.

use meed_operators::objectives::surrogate::reinforce;

use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, ANCHOR, SEEN, SPAN, TERMS, WEIGHTS, policy};

/// `-A log pi, token mean`.
pub const GPG: NamedObjective = NamedObjective {
    name: "gpg",
    title: "the plain policy gradient with the token mean",
    citation: "Chu et al. 2025, arXiv 2504.02546",
    formula: "-A log pi, token mean",
    parameters: &[ANCHOR, &SPAN, SEEN, WEIGHTS, &AGGREGATE, TERMS],
    build: |parameters| Ok(Box::new(policy("gpg", parameters, reinforce())?)),
};
