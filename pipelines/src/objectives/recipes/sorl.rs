//! SORL: the clip on the ratio of each turn.
//!
//! A turn is a maximal run of trainable tokens, and its ratio the geometric mean of theirs.

use crate::objectives::NamedObjective;
use crate::objectives::parts::{ANCHOR, SEEN, TERMS, WEIGHTS, aggregate_by, clip, clip_by, policy, span_by};

/// `max(-A rho, -A clip(rho)), rho = exp(mean over the turn of log r)`.
pub const SORL: NamedObjective = NamedObjective {
    name: "sorl",
    title: "the clip on the geometric-mean ratio of each turn",
    citation: "SORL, arXiv 2511.20718",
    formula: "max(-A rho, -A clip(rho, 1 - clip_low, 1 + clip_high)), rho = exp(mean over the turn of log r)",
    parameters: &[
        &clip_by("0.2", "0.2"),
        ANCHOR,
        &span_by("segment", "through"),
        SEEN,
        WEIGHTS,
        &aggregate_by("token_mean"),
        TERMS,
    ],
    build: |parameters| Ok(Box::new(policy("sorl", parameters, clip(parameters)?)?)),
};

/// What is guessed or differs.
pub const FIDELITY: &str = "the ratio of turns as the abstract has it; the normalisation that a clip triggers is \
                            not included, since its form is not known, and clip and aggregate are guesses";
