//! A3: every step of the policy is a row with one ratio, one advantage and one clip.
//!
//! `rho = exp(min(mean log-ratio of the step, 10))`, `A` the mean advantage of its tokens, and the mean over
//! steps of `max(-A rho, -A clip(rho))`.

use meed_operators::Result;
use meed_operators::objectives::{
    Aggregate, Anchor, Clip, Columns, Divergence, Estimator, Loss, Mode, Objective, Rows, exact,
    rows::clip_rows,
};

use crate::objectives::NamedObjective;
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("clip", "0.1", "the ratio of a step is clipped at 1 ± clip"),
    parameter("kl_coef", "0.01", "coefficient of the divergence from the reference policy; 0 needs none"),
];

/// Log-ratios above this count as this.
const CAP: f64 = 10.0;

/// The step ratio of A3.
pub const A3: NamedObjective = NamedObjective {
    name: "a3",
    title: "clip the ratio of each step, mean over steps",
    citation: "Learning CLI Agents with Structured Action Credit, arXiv 2605.08013; compute_policy_loss_A3_algo",
    formula: "mean over steps of max(-A r, -A clip(r, 1 - clip, 1 + clip)), r = exp(mean log-ratio of the step)",
    parameters: &[PARAMETERS],
    build: |parameters| Ok(Box::new(build(parameters)?)),
};

/// What is guessed or differs.
pub const FIDELITY: &str = "the policy loss equals the released one; the divergence is k3 with the mean over \
                            steps of step means, which the section does not say";

fn build(parameters: &Parameters) -> Result<A3Loss> {
    let clip = parameters.number("clip")?;
    Ok(A3Loss { clip: Clip::offsets(clip, clip), kl_coef: parameters.number("kl_coef")? })
}

struct A3Loss {
    clip: Clip,
    kl_coef: f64,
}

impl Objective for A3Loss {
    fn name(&self) -> &str {
        "a3"
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        columns.check()?;
        let steps: Vec<_> =
            columns.step_ranges()?.into_iter().filter(|step| step.clone().any(|t| columns.mask[t])).collect();
        let shares = vec![1.0 / steps.len().max(1) as f64; steps.len()];
        let mut loss = Loss::zero(columns);
        clip_rows(columns, &steps, &shares, &self.clip, CAP, &mut loss)?;
        let old = columns.anchor(Anchor::Old)?;
        let tokens = columns.trainable(0..columns.tokens());
        let drift = exact(tokens.iter().map(|&t| old[t] - columns.logprobs[t]));
        if !tokens.is_empty() {
            loss.part("ppo_kl", drift / tokens.len() as f64);
        }
        if self.kl_coef != 0.0 {
            let by_step = Columns { offsets: columns.steps.clone().unwrap_or_default(), ..columns.clone() };
            let aggregate =
                Aggregate { rows: Rows::Trainable, ..Aggregate::from(Mode::SequenceMeanTokenMean) };
            Divergence { coef: self.kl_coef, estimator: Estimator::K3, ..Divergence::default() }
                .add(&by_step, &aggregate, &mut loss)?;
        }
        Ok(loss)
    }
}
