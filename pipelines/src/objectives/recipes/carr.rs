//! C-GRPO of CaRR: the clipped token loss, dropped where training and rollout engine disagree.
//!
//! Token losses are multiplied by `old / rollout` where it lies in `low..=high`, and by 0 elsewhere.

use meed_operators::Result;
use meed_operators::objectives::{Clip, Correction, Level, Objective, PolicyObjective};

use crate::objectives::NamedObjective;
use crate::objectives::parts::aggregate::{AGGREGATE, aggregate};
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("clip_low", "0.2", "the ratio is clipped at 1 - clip_low"),
    parameter("clip_high", "0.28", "the ratio is clipped at 1 + clip_high"),
    parameter("low", "0.5", "least weight of a token that trains"),
    parameter("high", "2", "largest weight of a token that trains"),
];

/// The loss of C-GRPO.
pub const CARR: NamedObjective = NamedObjective {
    name: "carr",
    title: "clip-higher with token weights between two bounds",
    citation: "Chaining the Evidence (CaRR); slime icepop_function",
    formula: "w max(-A r, -A clip(r)), w = old / rollout in low..=high, else 0",
    parameters: &[PARAMETERS, &AGGREGATE],
    build,
};

/// What is guessed or differs.
pub const FIDELITY: &str = "weights equal the released function; the aggregate is the token mean of the released \
                            script as far as the section tells";

/// The weights of tokens.
pub fn token_weight(low: f64, high: f64) -> Correction {
    Correction::icepop(Level::Token, low, high)
}

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let clip = Clip::offsets(parameters.number("clip_low")?, parameters.number("clip_high")?);
    let mut objective = PolicyObjective::new("carr", clip);
    let weight = token_weight(parameters.number("low")?, parameters.number("high")?);
    objective.weightings.push(Box::new(weight));
    objective.aggregate = aggregate(parameters)?;
    Ok(Box::new(objective))
}
