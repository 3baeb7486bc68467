//! PPO's clipped surrogate, with the variants of its bounds.

use crate::objectives::NamedObjective;
use crate::objectives::parts::{
    AGGREGATE, ANCHOR, LIKELIHOOD, SEEN, SPAN, TERMS, WEIGHTS, clip, clip_by, policy, with_likelihood,
};

/// `max(-A r, -A clip(r, 1 - clip_low, 1 + clip_high))`.
pub const PPO_CLIP: NamedObjective = NamedObjective {
    name: "ppo_clip",
    title: "the clipped surrogate of PPO and GRPO",
    citation: "Schulman et al. 2017, arXiv 1707.06347; dual clip: Ye et al. 2020, arXiv 1912.09729",
    formula: "max(-A r, -A clip(r, 1 - clip_low, 1 + clip_high))",
    parameters: &[&clip_by("0.2", "0.2"), ANCHOR, &SPAN, SEEN, LIKELIHOOD, WEIGHTS, &AGGREGATE, TERMS],
    build: |parameters| with_likelihood(policy("ppo_clip", parameters, clip(parameters)?)?, parameters),
};
