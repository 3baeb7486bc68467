//! Flow-RWR: imitate every rollout, weighted by the exponential of its reward.
//!
//! `mean over rollouts of exp(r) e`, where `e` is the squared error of the predicted velocity on the rollout's
//! final sample, or the mean of `-logp` over its tokens.

use meed_operators::Result;
use meed_operators::objectives::regression::{Errors, weighted_regression};
use meed_operators::objectives::{Columns, Loss, Objective, exact};

use crate::objectives::NamedObjective;
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[parameter("weight", "exp", "exp: exp(reward); raw: the reward itself")];

/// Reward-weighted regression. Reads the signal `squared_errors` (one per rollout) where the batch has it.
pub const RWR: NamedObjective = NamedObjective {
    name: "rwr",
    title: "imitation weighted by the exponential of the reward",
    citation: "Improving Video Generation with Human Feedback, arXiv 2501.13918 Eq. 9; flow_grpo",
    formula: "mean over rollouts of exp(r) |v - v_theta|^2",
    parameters: &[PARAMETERS],
    build,
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equations; reconstructed for language, where -logp takes the place of the squared \
                            error; the logit-normal weighting of flow_grpo belongs to the error";

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    match parameters.text("weight")? {
        "exp" => Ok(Box::new(Rwr { exponential: true })),
        "raw" => Ok(Box::new(Rwr { exponential: false })),
        _ => Err(parameters.unknown("weight", &["exp", "raw"])),
    }
}

struct Rwr {
    exponential: bool,
}

impl Objective for Rwr {
    fn name(&self) -> &str {
        "rwr"
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        columns.check()?;
        let errors = Errors::of(columns, "squared_errors", columns.rollouts())?;
        let rollouts: Vec<_> = columns.ranges().collect();
        let trained: Vec<bool> = rollouts.iter().map(|range| errors.has(columns, range)).collect();
        let count = trained.iter().filter(|trained| **trained).count() as f64;
        let weight = |(&reward, &trained): (&f64, &bool)| match trained {
            true if self.exponential => reward.exp() / count,
            true => reward / count,
            false => 0.0,
        };
        let shares: Vec<f64> = columns.rewarded()?.iter().zip(&trained).map(weight).collect();
        let mut loss = Loss::zero(columns);
        weighted_regression(columns, &rollouts, &shares, &errors, &mut loss);
        loss.part("mean_weight", exact(shares.iter().copied()));
        Ok(loss)
    }
}
