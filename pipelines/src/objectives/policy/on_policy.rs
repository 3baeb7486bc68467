//! The on-policy gradient: every ratio is 1.

use meed_operators::objectives::Anchor;
use meed_operators::objectives::surrogate::unclipped;

use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, SEEN, TERMS, WEIGHTS, policy};

/// `-A exp(log pi - sg(log pi))`.
pub const ON_POLICY: NamedObjective = NamedObjective {
    name: "on_policy",
    title: "every ratio forced to 1",
    citation: "NeMo-RL force_on_policy_ratio",
    formula: "-A exp(log pi - sg(log pi))",
    parameters: &[SEEN, WEIGHTS, &AGGREGATE, TERMS],
    build: |parameters| {
        let mut objective = policy("on_policy", parameters, unclipped())?;
        objective.ratio.anchor = Anchor::Current;
        Ok(Box::new(objective))
    },
};
