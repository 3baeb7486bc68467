//! GSPO: PPO's clip of the ratio of a sequence.

use crate::objectives::NamedObjective;
use crate::objectives::parts::{
    ANCHOR, LIKELIHOOD, SEEN, TERMS, WEIGHTS, aggregate_by, clip, clip_by, policy, span_by, with_likelihood,
};

/// `max(-A s, -A clip(s, 1 - clip_low, 1 + clip_high)), s = exp(mean log r)`.
pub const GSPO: NamedObjective = NamedObjective {
    name: "gspo",
    title: "the clip on the geometric-mean ratio of each sequence",
    citation: "Zheng et al. 2025, arXiv 2507.18071",
    formula: "max(-A s, -A clip(s, 1 - clip_low, 1 + clip_high)), s = exp(mean log r)",
    parameters: &[
        &clip_by("3e-4", "4e-4"),
        ANCHOR,
        &span_by("sequence", "straight_through"),
        SEEN,
        LIKELIHOOD,
        WEIGHTS,
        &aggregate_by("seq_mean_token_mean"),
        TERMS,
    ],
    build: |parameters| with_likelihood(policy("gspo", parameters, clip(parameters)?)?, parameters),
};
