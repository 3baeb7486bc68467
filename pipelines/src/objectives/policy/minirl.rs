//! MiniRL: a masked policy gradient with an importance weight to the sampling policy.

use meed_operators::objectives::MiniRl;

use crate::objectives::NamedObjective;
use crate::objectives::parts::aggregate::aggregate_by;
use crate::objectives::parts::policy::SEEN;
use crate::objectives::parts::policy::policy;
use crate::objectives::parts::ratio::ANCHOR;
use crate::objectives::parts::ratio::SPAN;
use crate::objectives::parts::terms::TERMS;
use crate::parameters::{Parameter, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("clip_low", "0.2", "a token of negative advantage is masked below 1 - clip_low"),
    parameter("clip_high", "0.27", "a token of positive advantage is masked above 1 + clip_high"),
    parameter(
        "correction",
        r#"{"kind": "tis", "upper": 5, "numerator": "current"}"#,
        "the weight pi / mu: tis (truncated), icepop (0 outside), or with level sequence, any, ...; as the parameter of ppo_clip",
    ),
];

/// `-M sg(min(pi / mu, 5)) A log pi, M = 0 where r left 1 - clip_low..1 + clip_high along A`.
pub const MINIRL: NamedObjective = NamedObjective {
    name: "minirl",
    title: "REINFORCE masked by the ratio to the old policy, weighted by the ratio to the sampling one",
    citation: "arXiv 2512.01374",
    formula: "-M sg(min(pi / mu, 5)) A log pi, M = 0 where r left 1 - clip_low..1 + clip_high along A",
    parameters: &[PARAMETERS, ANCHOR, &SPAN, SEEN, &aggregate_by("seq_mean_token_sum"), TERMS],
    build: |parameters| {
        let (low, high) = (parameters.number("clip_low")?, parameters.number("clip_high")?);
        Ok(Box::new(policy("minirl", parameters, MiniRl { low, high })?))
    },
};
