//! SLATE: candidates of one step share their prefix, and each is clipped as a whole.
//!
//! A group is a step of a question with `k` candidates; `rho = exp(mean log-ratio of the candidate)`. The
//! loss is `-J`, `J` the mean over questions of the mean over steps of
//! `1/k sum_j (min(rho_j A_j, clip(rho_j) A_j) - kl_coef KL_j)`.

use std::collections::BTreeMap;

use meed_operators::Result;
use meed_operators::credit::ExactSum;
use meed_operators::objectives::{Clip, Columns, Loss, Objective, rows::clip_rows};

use crate::objectives::NamedObjective;
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("clip", "0.2", "the ratio of a candidate is clipped at 1 ± clip"),
    parameter("kl_coef", "0.001", "coefficient of the mean log-ratio to the reference policy; 0 needs none"),
];

/// The step objective of SLATE. The signal `question` numbers the question of each rollout; without it all
/// groups are steps of one question.
pub const SLATE: NamedObjective = NamedObjective {
    name: "slate",
    title: "clip each candidate of a step as a whole, mean over candidates, steps and questions",
    citation: "Truncated Step-Level Sampling with Process Rewards, arXiv 2602.23440 Eq. 7; aggregate_step_objectives",
    formula: "-mean over steps of 1/k sum_j (min(r A, clip(r) A) - kl_coef (logp - ref)), r = exp(mean log-ratio)",
    parameters: &[PARAMETERS],
    build,
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equal to the released helper, which no released trainer calls; it averages over the \
                            steps of a question where the paper sums; the mean over questions is guessed";

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let clip = parameters.number("clip")?;
    Ok(Box::new(Slate { clip: Clip::offsets(clip, clip), kl_coef: parameters.number("kl_coef")? }))
}

struct Slate {
    clip: Clip,
    kl_coef: f64,
}

impl Objective for Slate {
    fn name(&self) -> &str {
        "slate"
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        columns.check()?;
        let candidates: Vec<_> = columns.ranges().collect();
        let shares = shares(columns)?;
        let mut loss = Loss::zero(columns);
        clip_rows(columns, &candidates, &shares, &self.clip, f64::INFINITY, &mut loss)?;
        if self.kl_coef != 0.0 {
            let reference = columns.needed(&columns.ref_logprobs, "token_ref_logprobs")?;
            let mut divergence = ExactSum::default();
            for (candidate, share) in candidates.into_iter().zip(shares) {
                let tokens = columns.trainable(candidate);
                for &t in &tokens {
                    let share = share / tokens.len() as f64;
                    divergence.add(share * (columns.logprobs[t] - reference[t]));
                    loss.logprobs[t] += self.kl_coef * share;
                }
            }
            let divergence = divergence.value();
            loss.value += self.kl_coef * divergence;
            loss.part("kl", divergence);
        }
        Ok(loss)
    }
}

/// Share of each candidate: equal inside its step, of each step inside its question, of each question.
fn shares(columns: &Columns) -> Result<Vec<f64>> {
    let question = |rollout: usize| match columns.signals.contains_key("question") {
        true => columns.rollout_signal("question").map(|numbers| numbers[rollout] as i64),
        false => Ok(0),
    };
    let mut questions: BTreeMap<i64, BTreeMap<usize, f64>> = BTreeMap::new();
    for rollout in 0..columns.rollouts() {
        let steps = questions.entry(question(rollout)?).or_default();
        *steps.entry(columns.group(rollout)).or_default() += 1.0;
    }
    let share = |rollout: usize| {
        let steps = &questions[&question(rollout)?];
        Ok(1.0 / (steps[&columns.group(rollout)] * steps.len() as f64 * questions.len() as f64))
    };
    (0..columns.rollouts()).map(share).collect()
}
