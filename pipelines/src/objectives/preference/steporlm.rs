//! StepORLM: DPO between trajectories of one problem, weighted by how sure the preference is.

use meed_operators::Result;
use meed_operators::objectives::Columns;
use meed_operators::objectives::preference::{Pair, Scores, mean_over_pairs, preferred, sigmoid};

use super::dpo::BETA;
use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::parameter;

/// `L = -w log sigmoid(beta (s_w - s_l))` per pair, with the weights that [`pairs`] gives.
pub const STEPORLM: NamedObjective = NamedObjective {
    name: "steporlm",
    title: "weighted DPO on solver and process verdicts",
    citation: "StepORLM: A Self-Evolving Framework With Generative Process Supervision (2025)",
    formula: "-w log sigmoid(beta (s_w - s_l))",
    parameters: &[&[BETA, parameter("reference", "none", "none: s = logp; ref: s = logp - ref")]],
    build: |parameters| {
        let beta = parameters.number("beta")?;
        let scores: fn(&Columns) -> Result<Scores> = match parameters.text("reference")? {
            "none" => Scores::likelihoods,
            "ref" => Scores::log_ratios,
            _ => return Err(parameters.unknown("reference", &["none", "ref"])),
        };
        Ok(function("steporlm", move |columns| {
            let scores = scores(columns)?;
            let mut loss = mean_over_pairs(columns, &scores, |_, w, l| sigmoid(beta, 0.0, w, l))?;
            let rewards: Vec<f64> = scores.values.iter().map(|score| beta * score).collect();
            preferred(&mut loss, &columns.pairs, &rewards);
            Ok(loss)
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "reconstructed from notes: guessed are beta, the choice of a reference, and \
    the mean over pairs";

/// Pairs of a batch: in each group, a rollout of higher reward (the solver's verdict) beats one of lower
/// reward with weight 1; among equal rewards the one with more steps judged correct (the signal
/// `step_accuracy`, one share per rollout) wins, with the difference as weight. Ties make no pair.
///
/// # Errors
/// A batch without rewards or without `step_accuracy`.
pub fn pairs(columns: &Columns) -> Result<Vec<Pair>> {
    let (rewards, steps) = (columns.rewarded()?, columns.rollout_signal("step_accuracy")?);
    let mut pairs = Vec::new();
    for a in 0..columns.rollouts() {
        for b in (0..columns.rollouts()).filter(|&b| b != a && columns.group(b) == columns.group(a)) {
            if rewards[a] > rewards[b] {
                pairs.push(Pair::new(a, b));
            } else if rewards[a] == rewards[b] && steps[a] > steps[b] {
                pairs.push(Pair::new(a, b).weighted(steps[a] - steps[b]));
            }
        }
    }
    Ok(pairs)
}
