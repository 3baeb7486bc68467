//! DAPO's loss: clip-higher and the token mean.

use crate::objectives::NamedObjective;
use crate::objectives::parts::{
    AGGREGATE, ANCHOR, LIKELIHOOD, SEEN, SPAN, TERMS, WEIGHTS, clip, clip_by, policy, with_likelihood,
};

/// `max(-A r, -A clip(r, 0.8, 1.28)), token mean`.
pub const DAPO: NamedObjective = NamedObjective {
    name: "dapo",
    title: "clip-higher with the token mean",
    citation: "Yu et al. 2025, arXiv 2503.14476",
    formula: "max(-A r, -A clip(r, 0.8, 1.28)), token mean",
    parameters: &[&clip_by("0.2", "0.28"), ANCHOR, &SPAN, SEEN, LIKELIHOOD, WEIGHTS, &AGGREGATE, TERMS],
    build: |parameters| with_likelihood(policy("dapo", parameters, clip(parameters)?)?, parameters),
};
