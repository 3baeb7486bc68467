//! PRIME's implicit reward model: a language model trained on outcomes, whose log-ratios are token rewards.

use meed_operators::Result;
use meed_operators::objectives::preference::{Scores, cross_entropy};
use meed_operators::objectives::{Columns, Loss};

use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::parameter;

/// `L = mean over rollouts of BCE(sigmoid(beta sum_t q_t), reward)`, with `q_t = logp_t - ref_t` of the
/// reward model and its reference: a frozen model in `ref_logprobs`, or, with `reference = old policy`,
/// the policy's `old_logprobs`.
///
/// The part `pairwise_accuracy` is the mean over groups of the share of right orders among pairs of different
/// reward; a group without such a pair counts 1/2. The output `scores` has `sum q` per rollout.
pub const PRIME: NamedObjective = NamedObjective {
    name: "prime",
    title: "the loss of PRIME's implicit reward model",
    citation: "Cui et al. 2025, Process Reinforcement through Implicit Rewards, arXiv 2502.01456",
    formula: "BCE(sigmoid(beta sum (logp - ref)), reward)",
    parameters: &[&[
        parameter("beta", "0.05", "scale of log-ratios"),
        parameter("reference", "frozen", "frozen, or old policy"),
    ]],
    build: |parameters| {
        let beta = parameters.number("beta")?;
        let frozen = match parameters.text("reference")? {
            "frozen" => true,
            "old policy" => false,
            _ => return Err(parameters.unknown("reference", &["frozen", "old policy"])),
        };
        Ok(function("prime", move |columns| {
            let scores = if frozen {
                Scores::log_ratios(columns)?
            } else {
                let old = columns.needed(&columns.old_logprobs, "token_old_logprobs")?;
                Scores::weighted(columns, Some(old), |_| 1.0)?
            };
            let mut loss = outcome_cross_entropy(columns, &scores, beta)?;
            loss.parts.insert("pairwise_accuracy".into(), pairwise_accuracy(columns, &scores.values)?);
            loss.outputs.insert("scores".into(), scores.values);
            Ok(loss)
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "as the code, whose configured rm_coef is not used by this loss either";

/// `mean over rollouts of BCE(sigmoid(beta score), reward)`.
pub(super) fn outcome_cross_entropy(columns: &Columns, scores: &Scores, beta: f64) -> Result<Loss> {
    let rewards = columns.rewarded()?;
    let share = 1.0 / columns.rollouts().max(1) as f64;
    let (mut value, mut by_score) = (0.0, Vec::with_capacity(rewards.len()));
    for (score, reward) in scores.values.iter().zip(rewards) {
        let (loss, slope) = cross_entropy(beta * score, *reward);
        value += share * loss;
        by_score.push(share * beta * slope);
    }
    Ok(Loss { value, logprobs: scores.gradient(columns, &by_score), ..Loss::default() })
}

fn pairwise_accuracy(columns: &Columns, scores: &[f64]) -> Result<f64> {
    let rewards = columns.rewarded()?;
    let groups = columns.members();
    let of_group = |members: &Vec<usize>| {
        let (mut right, mut all) = (0.0, 0.0);
        for &a in members {
            for &b in members.iter().filter(|&&b| rewards[a] > rewards[b]) {
                all += 1.0;
                right += if scores[a] > scores[b] { 1.0 } else { 0.0 };
            }
        }
        if all == 0.0 { 0.5 } else { right / all }
    };
    Ok(groups.iter().map(of_group).sum::<f64>() / groups.len().max(1) as f64)
}
