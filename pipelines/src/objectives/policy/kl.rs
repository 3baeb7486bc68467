//! The divergence from the reference alone.

use meed_operators::objectives::surrogate::{Each, Token};
use meed_operators::objectives::{Advantages, Columns};

use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, ANCHOR, SEEN, TERMS, policy};

/// `coef * KL`.
pub const KL: NamedObjective = NamedObjective {
    name: "kl",
    title: "the divergence from the reference policy and nothing else",
    citation: "Schulman 2020, Approximating KL divergence",
    formula: "coef * KL",
    parameters: &[ANCHOR, SEEN, &AGGREGATE, TERMS],
    build: |parameters| {
        let mut objective = policy("kl", parameters, Each(|_: &Columns, _, _, _| Token::default()))?;
        objective.advantages = Advantages::Absent;
        Ok(Box::new(objective))
    },
};
