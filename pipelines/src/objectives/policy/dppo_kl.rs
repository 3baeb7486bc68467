//! DPPO: a mask by the binary divergence of the token's probability.

use meed_operators::objectives::Movement;

use super::dppo_tv::{TRUST_REGION, trust_region};
use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, ANCHOR, SEEN, SPAN, TERMS, WEIGHTS};

/// `-A r, 0 where the divergence is beyond delta in the direction of A`.
pub const DPPO_KL: NamedObjective = NamedObjective {
    name: "dppo_kl",
    title: "a trust region of binary KL divergence in place of the clip",
    citation: "arXiv 2602.04879",
    formula: "-A r, 0 where the divergence is beyond delta in the direction of A",
    parameters: &[TRUST_REGION, ANCHOR, &SPAN, SEEN, WEIGHTS, &AGGREGATE, TERMS],
    build: |parameters| Ok(Box::new(trust_region("dppo_kl", Movement::BinaryKl, parameters)?)),
};
