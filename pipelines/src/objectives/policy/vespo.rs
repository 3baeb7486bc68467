//! VESPO: a smooth weight of the whole sequence.

use meed_operators::Result;
use meed_operators::objectives::{Objective, Pool, Span, Vespo};
use serde_json::Value;

use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, ANCHOR, SEEN, TERMS, WEIGHTS, correction, policy};
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("k_pos", "2", "k where the advantage is at least 0"),
    parameter("lambda_pos", "3", "lambda where the advantage is at least 0"),
    parameter("k_neg", "3", "k elsewhere"),
    parameter("lambda_neg", "2", "lambda elsewhere"),
    parameter("inner_correction", "null", "an off-policy correction whose weights enter log w"),
];

/// `-phi A log pi, phi = exp(lambda + k log w - lambda w), w = prod r`.
pub const VESPO: NamedObjective = NamedObjective {
    name: "vespo",
    title: "REINFORCE with a gamma-shaped weight of the sequence ratio",
    citation: "arXiv 2602.10693",
    formula: "-phi A log pi, phi = exp(lambda + k log w - lambda w), w = prod r",
    parameters: &[PARAMETERS, ANCHOR, SEEN, WEIGHTS, &AGGREGATE, TERMS],
    build,
};

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let inside = match parameters.get("inner_correction") {
        Value::Null => None,
        given => Some(correction(given)?),
    };
    let surrogate = Vespo {
        positive: (parameters.number("k_pos")?, parameters.number("lambda_pos")?),
        negative: (parameters.number("k_neg")?, parameters.number("lambda_neg")?),
        inside,
        ..Vespo::default()
    };
    let mut objective = policy("vespo", parameters, surrogate)?;
    objective.ratio.span = Span::Sequence;
    objective.ratio.pool = Pool::Sum;
    Ok(Box::new(objective))
}
