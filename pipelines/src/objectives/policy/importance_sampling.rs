//! Importance sampling without a clip.

use meed_operators::objectives::surrogate::unclipped;

use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, ANCHOR, SEEN, SPAN, TERMS, WEIGHTS, policy};

/// `-A r`.
pub const IMPORTANCE_SAMPLING: NamedObjective = NamedObjective {
    name: "importance_sampling",
    title: "the unclipped importance-weighted gradient",
    citation: "Kakade and Langford 2002",
    formula: "-A r",
    parameters: &[ANCHOR, &SPAN, SEEN, WEIGHTS, &AGGREGATE, TERMS],
    build: |parameters| Ok(Box::new(policy("importance_sampling", parameters, unclipped())?)),
};
