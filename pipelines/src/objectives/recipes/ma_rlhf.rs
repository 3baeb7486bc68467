//! MA-RLHF: PPO whose advantages and returns are those of macro actions.
//!
//! Every token of a macro action has its advantage and its return (the credit's); ratios, clips and values stay
//! those of tokens.

use meed_operators::Result;
use meed_operators::objectives::{Clip, Objective, PolicyObjective, ValueLoss};

use crate::objectives::NamedObjective;
use crate::objectives::parts::aggregate::{AGGREGATE, aggregate};
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("clip", "0.2", "the ratio is clipped at 1 ± clip"),
    parameter("value_clip", "0.2", "how far a value may move before its loss is clipped"),
    parameter("value_coef", "1", "coefficient of the critic's loss; 0 needs no values"),
];

/// PPO over macro actions: reads token_advantages and token_returns that are constant over each of them.
pub const MA_RLHF: NamedObjective = NamedObjective {
    name: "ma_rlhf",
    title: "token clip and value loss with the advantages and returns of macro actions",
    citation: "MA-RLHF, arXiv 2410.02743; actor_loss_fn, critic_loss_fn",
    formula: "max(-A r, -A clip(r)) + value_coef / 2 max((v - R)^2, (clip(v) - R)^2)",
    parameters: &[PARAMETERS, &AGGREGATE],
    build,
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equal to the released losses on one rollout, which is its batch; over several the mean \
                            is that of the aggregate";

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let clip = parameters.number("clip")?;
    let mut objective = PolicyObjective::new("ma_rlhf", Clip::offsets(clip, clip));
    objective.aggregate = aggregate(parameters)?;
    let coef = parameters.number("value_coef")?;
    if coef != 0.0 {
        let clip = Some(parameters.number("value_clip")?);
        objective.terms.push(Box::new(ValueLoss { coef, clip, ..ValueLoss::default() }));
    }
    Ok(Box::new(objective))
}
