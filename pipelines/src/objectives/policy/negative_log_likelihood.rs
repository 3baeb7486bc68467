//! The negative log-likelihood of the tokens.

use meed_operators::objectives::Advantages;
use meed_operators::objectives::surrogate::negative_log_likelihood;

use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, ANCHOR, SEEN, SPAN, TERMS, WEIGHTS, policy};

/// `-log pi`.
pub const NEGATIVE_LOG_LIKELIHOOD: NamedObjective = NamedObjective {
    name: "negative_log_likelihood",
    title: "the negative log-likelihood of the tokens, whatever the advantage",
    citation: "maximum likelihood",
    formula: "-log pi",
    parameters: &[ANCHOR, &SPAN, SEEN, WEIGHTS, &AGGREGATE, TERMS],
    build: |parameters| {
        let mut objective = policy("negative_log_likelihood", parameters, negative_log_likelihood())?;
        objective.advantages = Advantages::Absent;
        Ok(Box::new(objective))
    },
};
