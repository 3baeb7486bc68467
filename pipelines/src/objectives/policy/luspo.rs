//! LUSPO: GSPO with row losses multiplied by their lengths.

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

/// `mean over rollouts of length * max(-A s, -A clip(s))`.
pub const LUSPO: NamedObjective = NamedObjective {
    name: "luspo",
    title: "the clip on sequence ratios, length-unbiased",
    citation: "LUSPO, arXiv 2602.05261; trl loss_type luspo",
    formula: "mean over rollouts of length * max(-A s, -A clip(s))",
    parameters: &[
        &clip_by("0.2", "0.2"),
        ANCHOR,
        &span_by("sequence", "through"),
        SEEN,
        WEIGHTS,
        &aggregate_by("seq_mean_token_sum"),
        TERMS,
    ],
    build: |parameters| with_likelihood(policy("luspo", parameters, clip(parameters)?)?, parameters),
};
