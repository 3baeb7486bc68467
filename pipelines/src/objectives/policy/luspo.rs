//! LUSPO: GSPO with row losses multiplied by their lengths.

use crate::objectives::NamedObjective;
use crate::objectives::parts::{
    ANCHOR, LIKELIHOOD, SEEN, TERMS, WEIGHTS, aggregate_by, clip, clip_by, policy, span_by, with_likelihood,
};

/// `mean over rollouts of length * max(-A s, -A clip(s))`.
pub const LUSPO: NamedObjective = NamedObjective {
    name: "luspo",
    title: "the clip on sequence ratios, length-unbiased",
    citation: "Length-Unbiased Sequence Policy Optimization (2026), as in TRL",
    formula: "mean over rollouts of length * max(-A s, -A clip(s))",
    parameters: &[
        &clip_by("0.2", "0.2"),
        ANCHOR,
        &span_by("sequence", "through"),
        SEEN,
        LIKELIHOOD,
        WEIGHTS,
        &aggregate_by("seq_mean_token_sum"),
        TERMS,
    ],
    build: |parameters| with_likelihood(policy("luspo", parameters, clip(parameters)?)?, parameters),
};
