//! The critic's loss alone.

use meed_operators::objectives::surrogate::{Each, Token};
use meed_operators::objectives::{Advantages, Columns, ValueLoss};

use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, TERMS, policy, value_loss};

/// `max((v - R)^2, (clip(v, v_old - c, v_old + c) - R)^2) / 2`.
pub const VALUE_LOSS: NamedObjective = NamedObjective {
    name: "value_loss",
    title: "squared or Huber errors of values, clipped or not",
    citation: "Schulman et al. 2017, arXiv 1707.06347",
    formula: "max((v - R)^2, (clip(v, v_old - c, v_old + c) - R)^2) / 2",
    parameters: &[&AGGREGATE, TERMS],
    build: |parameters| {
        let mut objective = policy("value_loss", parameters, Each(|_: &Columns, _, _, _| Token::default()))?;
        objective.advantages = Advantages::Absent;
        if parameters.number("value_coef")? == 0.0 {
            objective.terms.push(Box::new(ValueLoss { coef: 1.0, ..value_loss(parameters)? }));
        }
        Ok(Box::new(objective))
    },
};
