//! GSPO: PPO's clip of the ratio of a sequence.

use super::ppo_clip::{clip, clip_by};

use crate::objectives::NamedObjective;
use crate::objectives::parts::aggregate::aggregate_by;
use crate::objectives::parts::policy::SEEN;
use crate::objectives::parts::policy::policy;
use crate::objectives::parts::policy::with_likelihood;
use crate::objectives::parts::ratio::ANCHOR;
use crate::objectives::parts::ratio::span_by;
use crate::objectives::parts::terms::TERMS;
use crate::objectives::parts::weights::WEIGHTS;

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
        WEIGHTS,
        &aggregate_by("seq_mean_token_mean"),
        TERMS,
    ],
    build: |parameters| with_likelihood(policy("gspo", parameters, clip(parameters)?)?, parameters),
};
