//! R3L: reflect-then-retry, trained without ratio or clip.
//!
//! `-A_t logp_t / (1 + tau)` over the tokens that train, which the pivot mask chooses (what a retry shares
//! with its first try is left out), plus `kl_coef` times the k2 divergence from the reference policy.

use meed_operators::Result;
use meed_operators::objectives::surrogate::Each;
use meed_operators::objectives::{Columns, Divergence, Estimator, Objective, PolicyObjective, Token};

use crate::objectives::NamedObjective;
use crate::objectives::parts::aggregate::{AGGREGATE, aggregate};
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("tau", "1", "temperature of the regularised objective: the loss is divided by 1 + tau"),
    parameter("kl_coef", "0.001", "coefficient of the k2 divergence from the reference policy; 0 needs none"),
];

/// `-A log pi / (1 + tau) + kl_coef (log pi - log pi_ref)^2 / 2`.
pub const R3L: NamedObjective = NamedObjective {
    name: "r3l",
    title: "advantage-weighted log-likelihood of retries from their pivot on",
    citation: "R^3L: Reflect-then-Retry Reinforcement Learning; opmd_policy_loss.py, K2Fn",
    formula: "-A log pi / (1 + tau) + kl_coef KL_k2",
    parameters: &[PARAMETERS, &AGGREGATE],
    build,
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equal to the released loss, whose denominators have 1e-8 added";

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let weight = 1.0 / (1.0 + parameters.number("tau")?);
    let surrogate = Each(move |columns: &Columns, t: usize, _, advantage: f64| {
        Token::detached(weight, advantage, columns.logprobs[t])
    });
    let mut objective = PolicyObjective::new("r3l", surrogate);
    objective.aggregate = aggregate(parameters)?;
    let coef = parameters.number("kl_coef")?;
    if coef != 0.0 {
        let divergence = Divergence { coef, estimator: Estimator::K2, ..Divergence::default() };
        objective.terms.push(Box::new(divergence));
    }
    Ok(Box::new(objective))
}
