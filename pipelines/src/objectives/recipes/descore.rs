//! DeScore: the clipped surrogate of the reasoning, beside the pairwise loss of the score that follows it.

use meed_operators::Result;
use meed_operators::objectives::policy::Term;
use meed_operators::objectives::preference::sigmoid;
use meed_operators::objectives::{Aggregate, Columns, Loss, Objective, exact};

use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, ANCHOR, SEEN, SPAN, TERMS, WEIGHTS, clip, clip_by, policy};
use crate::parameters::{Parameters, parameter};

/// `ppo_clip` plus `bt_weight` times the mean of `-log sigmoid(p (s_1 - s_2))` over rollouts, where a rollout judges a
/// pair of answers: the signals `first_scores` and `second_scores` are what its head gives them, and `preference` is 1
/// where the first is preferred, -1 where the second is, and 0 for a tie, which is skipped, as is an unknown one (NaN).
///
/// The gradient of the scores is among the signals; with ties only that part is 0.
pub const DESCORE: NamedObjective = NamedObjective {
    name: "descore",
    title: "clipped surrogate of a judge's reasoning, with the pairwise loss of its score",
    citation: "DeScore: Think, then Score; WYuan1001/DeScore_project_page",
    formula: "ppo_clip + bt_weight * mean(-log sigmoid(s_c - s_r))",
    parameters: &[
        &clip_by("0.2", "0.2"),
        ANCHOR,
        &SPAN,
        SEEN,
        WEIGHTS,
        &AGGREGATE,
        TERMS,
        &[parameter("bt_weight", "5e-3", "weight of the pairwise loss")],
    ],
    build,
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equations of the released code, in which the cold start's masking of the reasoning is no \
                            part of the loss of scores";

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let mut objective = policy("descore", parameters, clip(parameters)?)?;
    objective.terms.push(Box::new(PairTerm { weight: parameters.number("bt_weight")? }));
    Ok(Box::new(objective))
}

struct PairTerm {
    weight: f64,
}

impl Term for PairTerm {
    fn add(&self, columns: &Columns, _: &Aggregate, loss: &mut Loss) -> Result<()> {
        let (first, second) =
            (columns.rollout_signal("first_scores")?, columns.rollout_signal("second_scores")?);
        let preference = columns.rollout_signal("preference")?;
        let has = |rollout: usize| {
            preference[rollout].abs() > 0.0 && columns.range(rollout).any(|t| columns.mask[t])
        };
        let preferring: Vec<usize> = (0..columns.rollouts()).filter(|&rollout| has(rollout)).collect();
        let share = 1.0 / preferring.len().max(1) as f64;
        let of = |rollout: usize| sigmoid(preference[rollout].signum(), 0.0, first[rollout], second[rollout]);
        let mean = share * exact(preferring.iter().map(|&rollout| of(rollout).value));
        let mut slopes = [vec![0.0; columns.rollouts()], vec![0.0; columns.rollouts()]];
        for &rollout in &preferring {
            let scaled = of(rollout).times(self.weight * share);
            (slopes[0][rollout], slopes[1][rollout]) = (scaled.chosen, scaled.rejected);
        }
        loss.value += self.weight * mean;
        loss.part("pair_loss", mean);
        loss.signals.extend(["first_scores".to_owned(), "second_scores".to_owned()].into_iter().zip(slopes));
        Ok(())
    }
}
