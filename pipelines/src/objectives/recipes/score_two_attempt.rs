//! SCoRe: REINFORCE over attempts, each a mean over its tokens, tied to the reference policy.
//!
//! Per rollout `-sum over attempts of A_k mean log pi + beta sum over tied attempts of KL_k`, where `KL_k` is the
//! mean of the k3 estimates of the attempt's tokens; then the mean over rollouts. An attempt is a maximal run of
//! trainable tokens. In stage 1 the first attempt alone is tied, in stage 2 all are. Means over tokens follow their
//! weights, and a rollout without weight is none.

use std::ops::Range;

use meed_operators::Result;
use meed_operators::objectives::{Columns, Divergence, Loss, Objective, exact};

use crate::objectives::NamedObjective;
use crate::parameters::{Parameter, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("stage", "2", "1: the first attempt alone is tied to the reference policy; 2: all are"),
    parameter("beta1", "0.01", "coefficient of the divergence in stage 2; 0 needs no reference"),
    parameter("beta2", "0.1", "coefficient of the divergence in stage 1"),
];

/// SCoRe's losses.
pub const SCORE_TWO_ATTEMPT: NamedObjective = NamedObjective {
    name: "score_two_attempt",
    title: "REINFORCE over attempts, tied to the reference policy",
    citation: "Kumar et al. 2024, arXiv 2409.12917",
    formula: "mean over rollouts of sum_k -A_k mean log pi + beta sum_k mean KL_k3",
    parameters: &[PARAMETERS],
    build: |parameters| {
        let (first_only, beta) = match parameters.small("stage")? {
            1 => (true, "beta2"),
            2 => (false, "beta1"),
            _ => return Err(parameters.unknown("stage", &["1", "2"])),
        };
        Ok(Box::new(Attempts { first_only, beta: parameters.number(beta)? }))
    },
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equations; the mean over an attempt's tokens is that of a third party's program, the \
                            paper leaves the estimator of the divergence open";

struct Attempts {
    first_only: bool,
    beta: f64,
}

impl Objective for Attempts {
    fn name(&self) -> &str {
        "score_two_attempt"
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        columns.check()?;
        let attempts = columns.segments();
        let of_rollout = |token: usize| columns.offsets.partition_point(|&offset| offset <= token);
        let is_first =
            |at: usize| at == 0 || of_rollout(attempts[at].start) != of_rollout(attempts[at - 1].start);
        let weights = columns.counted();
        let weight = |tokens: Range<usize>| exact(weights[tokens].iter().copied());
        let rollouts = columns.ranges().filter(|tokens| weight(tokens.clone()) > 0.0).count() as f64;
        let divergences = match self.beta {
            0.0 => vec![(0.0, 0.0); columns.tokens()],
            _ => Divergence::default().tokens(columns)?,
        };
        let mut loss = Loss::zero(columns);
        let (mut policy, mut kl) = (Vec::new(), Vec::new());
        for (at, attempt) in attempts.iter().enumerate() {
            let total = weight(attempt.clone());
            for t in attempt.clone().filter(|&t| weights[t] > 0.0) {
                let share = weights[t] / (total * rollouts);
                let tied = if self.first_only && !is_first(at) { 0.0 } else { share };
                policy.push(-share * columns.advantages[t] * columns.logprobs[t]);
                kl.push(tied * divergences[t].0);
                loss.logprobs[t] = -share * columns.advantages[t] + self.beta * tied * divergences[t].1;
            }
        }
        let (policy, kl) = (exact(policy), exact(kl));
        loss.value = policy + self.beta * kl;
        loss.part("policy_loss", policy);
        loss.part("kl", kl);
        Ok(loss)
    }
}
