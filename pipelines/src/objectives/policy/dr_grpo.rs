//! Dr.GRPO's loss: no division by lengths.

use crate::objectives::NamedObjective;
use crate::objectives::parts::{
    ANCHOR, LIKELIHOOD, SEEN, SPAN, TERMS, WEIGHTS, aggregate_by, clip, clip_by, policy, with_likelihood,
};

/// `sum over tokens of max(-A r, -A clip(r)) / (rollouts * horizon)`.
pub const DR_GRPO: NamedObjective = NamedObjective {
    name: "dr_grpo",
    title: "the clip, summed over tokens and divided by a constant",
    citation: "Liu et al. 2025, arXiv 2503.20783",
    formula: "sum over tokens of max(-A r, -A clip(r)) / (rollouts * horizon)",
    parameters: &[
        &clip_by("0.2", "0.2"),
        ANCHOR,
        &SPAN,
        SEEN,
        LIKELIHOOD,
        WEIGHTS,
        &aggregate_by("seq_mean_token_sum_norm"),
        TERMS,
    ],
    build: |parameters| with_likelihood(policy("dr_grpo", parameters, clip(parameters)?)?, parameters),
};
