//! POAD: PPO on actions decomposed into tokens; a step that moved the policy too far is dropped.
//!
//! PPO's clip per token less an entropy bonus, and a clipped Huber (or squared) loss of the token critic. The
//! policy's gradient is dropped where `mean(r - 1 - log r)` is above `kl_limit`.

use meed_operators::Result;
use meed_operators::objectives::{
    Clip, Columns, EntropyBonus, ErrorLoss, Loss, Objective, PolicyObjective, Ratio, ValueLoss, exact,
};

use crate::objectives::NamedObjective;
use crate::objectives::parts::aggregate::{AGGREGATE, aggregate};
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("clip", "0.2", "ratios are clipped at 1 ± clip, values at that distance from the old ones"),
    parameter("entropy_coef", "0.01", "coefficient of the entropy bonus"),
    parameter("value_loss", "huber", "how the critic's errors are lost: huber, mse"),
    parameter("huber_delta", "10", "where Huber's loss becomes linear"),
    parameter("one_sided", "false", "as released, errors R - v below -huber_delta cost nothing"),
    parameter("value_coef", "1", "coefficient of the critic's loss; 0 needs no values"),
    parameter(
        "kl_limit",
        "0.02",
        "approximate divergence above which the policy has no gradient; null: none",
    ),
];

/// POAD's losses.
pub const POAD: NamedObjective = NamedObjective {
    name: "poad",
    title: "token clip, entropy bonus and Huber critic, stopped by the approximate divergence",
    citation: "Reinforcing Language Agents via Policy Optimization with Action Decomposition; TPPOTrainer",
    formula: "max(-A r, -A clip(r)) - entropy_coef H + value_coef max(huber(v - R), huber(clip(v) - R))",
    parameters: &[PARAMETERS, &AGGREGATE],
    build,
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equal to the released losses, except that Huber's loss is linear on both sides, where \
                            the release lets errors below -delta cost nothing (one_sided = true)";

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let clip = parameters.number("clip")?;
    let mut objective = PolicyObjective::new("poad", Clip::offsets(clip, clip));
    objective.aggregate = aggregate(parameters)?;
    let coef = parameters.number("entropy_coef")?;
    if coef != 0.0 {
        objective.terms.push(Box::new(EntropyBonus { coef, aggregate: None }));
    }
    let delta = parameters.number("huber_delta")?;
    let error = match parameters.text("value_loss")? {
        "huber" if parameters.boolean("one_sided")? => ErrorLoss::OneSidedHuber { delta },
        "huber" => ErrorLoss::Huber { delta },
        "mse" => ErrorLoss::Squared,
        _ => return Err(parameters.unknown("value_loss", &["huber", "mse"])),
    };
    let coef = parameters.number("value_coef")?;
    if coef != 0.0 {
        objective.terms.push(Box::new(ValueLoss { coef, clip: Some(clip), error, ..ValueLoss::default() }));
    }
    Ok(Box::new(Poad { objective, limit: parameters.optional_number("kl_limit")? }))
}

struct Poad {
    objective: PolicyObjective,
    limit: Option<f64>,
}

impl Objective for Poad {
    fn name(&self) -> &str {
        "poad"
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        let mut loss = self.objective.loss(columns)?;
        let log_ratios = Ratio::default().log_ratios(columns)?.values;
        let trained = columns.trainable(0..columns.tokens());
        let estimate = |&t: &usize| log_ratios[t].exp() - 1.0 - log_ratios[t];
        let divergence = exact(trained.iter().map(estimate)) / trained.len().max(1) as f64;
        let stopped = self.limit.is_some_and(|limit| divergence > limit);
        if stopped {
            loss.logprobs.fill(0.0);
            loss.entropies.iter_mut().for_each(|entropies| entropies.fill(0.0));
        }
        loss.part("approx_kl", divergence);
        loss.part("policy_updated", f64::from(u8::from(!stopped)));
        Ok(loss)
    }
}
