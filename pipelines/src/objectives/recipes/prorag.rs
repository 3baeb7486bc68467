//! ProRAG: PPO's clip with one truncated weight per rollout for the gap to the sampling policy.
//!
//! The weight is `exp(sum of old - rollout log-probabilities)`, and 0 above `sequence_cap`; token losses are
//! divided by the number of all tokens of the rollouts, retrieved and inserted ones included.

use meed_operators::Result;
use meed_operators::objectives::{Clip, Correction, Level, Objective, PolicyObjective};

use crate::objectives::NamedObjective;
use crate::objectives::parts::aggregate::{aggregate, aggregate_by};
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("clip_low", "0.2", "the ratio is clipped at 1 - clip_low"),
    parameter("clip_high", "0.2", "the ratio is clipped at 1 + clip_high"),
    parameter("sequence_cap", "3", "a rollout whose weight is above it is dropped; null: no weights"),
];

/// ProRAG's loss.
pub const PRORAG: NamedObjective = NamedObjective {
    name: "prorag",
    title: "PPO's clip, weighted per rollout, over all tokens of the completions",
    citation: "ProRAG; prorag/rl/trainer.py _compute_loss with TRL's defaults",
    formula: "w max(-A r, -A clip(r)) / all tokens, w = prod(old / rollout), 0 above sequence_cap",
    parameters: &[PARAMETERS, &aggregate_by("all_tokens")],
    build,
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equal to the released loss";

/// The weight of a rollout, at each of its tokens.
pub fn sequence_weight(cap: f64) -> Correction {
    Correction::icepop(Level::Sum, f64::NEG_INFINITY, cap)
}

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let mut objective = PolicyObjective::new(
        "prorag",
        Clip::offsets(parameters.number("clip_low")?, parameters.number("clip_high")?),
    );
    if let Some(cap) = parameters.optional_number("sequence_cap")? {
        objective.weightings.push(Box::new(sequence_weight(cap)));
    }
    objective.aggregate = aggregate(parameters)?;
    Ok(Box::new(objective))
}
