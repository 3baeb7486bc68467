//! Implicit process reward models: outcome losses on log-ratios, from which step rewards follow.

use meed_operators::objectives::preference::{Scores, logistic, mean_over_pairs, preferred, sigmoid};
use meed_operators::objectives::{Columns, Loss};
use meed_operators::{Error, Result};

use super::prime::outcome_cross_entropy;
use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::parameter;

/// Losses of `r = beta sum_t (logp_t - ref_t)`:
///
/// | loss | |
/// |---|---|
/// | ce | `BCE(sigmoid(r), reward)`, mean over rollouts |
/// | dpo | `-log sigmoid(r_w - r_l)`, mean over the batch's pairs |
/// | kto_vanilla | `1 - sigmoid(r - k_wrong)` for reward 1, `1 - sigmoid(k_right - r)` for reward 0 |
/// | kto | the same with one `k`, and a weight for each class |
///
/// The reference points of kto_vanilla are the mean `r` of a class, at least 0, with their gradient; that of
/// kto is beta times the mean of the signal `kl_log_ratios` (of mismatched samples), at least 0, held fixed.
///
/// The output `outcome_rewards` has `r` per rollout.
pub const IMPLICIT_PRM: NamedObjective = NamedObjective {
    name: "implicit_prm",
    title: "losses of an implicit process reward model",
    citation: "Yuan et al. 2024, Free Process Rewards without Process Labels, arXiv 2412.01981",
    formula: "a loss of r = beta sum (logp - ref) and the outcome: ce, dpo, kto_vanilla or kto",
    parameters: &[&[
        parameter("loss", "ce", "ce, dpo, kto_vanilla or kto"),
        parameter("beta", "0.05", "scale of log-ratios"),
        parameter("desirable_weight", "1", "weight of right rollouts in kto"),
        parameter("undesirable_weight", "1", "weight of wrong rollouts in kto"),
    ]],
    build: |parameters| {
        let beta = parameters.number("beta")?;
        let weights = [parameters.number("undesirable_weight")?, parameters.number("desirable_weight")?];
        let form = match parameters.text("loss")? {
            "ce" => Form::CrossEntropy,
            "dpo" => Form::Pairs,
            "kto_vanilla" => Form::KtoVanilla,
            "kto" => Form::Kto { weights },
            _ => return Err(parameters.unknown("loss", &["ce", "dpo", "kto_vanilla", "kto"])),
        };
        Ok(function("implicit_prm", move |columns| {
            let scores = Scores::log_ratios(columns)?;
            let rewards: Vec<f64> = scores.values.iter().map(|score| beta * score).collect();
            let mut loss = match form {
                Form::CrossEntropy => outcome_cross_entropy(columns, &scores, beta)?,
                Form::Pairs => {
                    let mut loss = mean_over_pairs(columns, &scores, |_, w, l| sigmoid(beta, 0.0, w, l))?;
                    preferred(&mut loss, &columns.pairs, &rewards);
                    loss
                }
                Form::KtoVanilla => kto_vanilla(columns, &scores, beta)?,
                Form::Kto { weights } => kto(columns, &scores, beta, weights)?,
            };
            loss.outputs.insert("outcome_rewards".into(), rewards);
            Ok(loss)
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "as the code, in which kto_vanilla does not detach its reference points; a \
    class without rollouts has reference point 0";

#[derive(Clone, Copy)]
enum Form {
    CrossEntropy,
    Pairs,
    KtoVanilla,
    Kto { weights: [f64; 2] },
}

/// Class of each rollout: 1 is right, 0 is wrong.
fn labels(columns: &Columns) -> Result<Vec<usize>> {
    let label = |(i, reward): (usize, &f64)| match *reward {
        1.0 => Ok(1),
        0.0 => Ok(0),
        other => Err(Error::usage(
            format!("implicit_prm: rollout {i} has reward {other}"),
            "kto knows right rollouts (reward 1) and wrong ones (reward 0)",
        )),
    };
    columns.rewarded()?.iter().enumerate().map(label).collect()
}

fn kto_vanilla(columns: &Columns, scores: &Scores, beta: f64) -> Result<Loss> {
    let labels = labels(columns)?;
    let (mut sums, mut counts) = ([0.0; 2], [0.0; 2]);
    for (&label, score) in labels.iter().zip(&scores.values) {
        sums[label] += score;
        counts[label] += 1.0;
    }
    let center = |class: usize| if counts[class] == 0.0 { 0.0 } else { sums[class] / counts[class] };
    let centers = [center(0), center(1)];
    let share = 1.0 / labels.len().max(1) as f64;
    let (mut value, mut by_score, mut by_center) = (0.0, vec![0.0; labels.len()], [0.0; 2]);
    for (i, &label) in labels.iter().enumerate() {
        let (sign, other) = if label == 1 { (1.0, 0) } else { (-1.0, 1) };
        let x = sign * beta * (scores.values[i] - centers[other].max(0.0));
        let slope = -share * sign * beta * logistic(x) * logistic(-x);
        value += share * logistic(-x);
        by_score[i] += slope;
        by_center[other] -= slope;
    }
    for (i, &label) in labels.iter().enumerate() {
        if centers[label] >= 0.0 {
            by_score[i] += by_center[label] / counts[label];
        }
    }
    Ok(Loss { value, logprobs: scores.gradient(columns, &by_score), ..Loss::default() })
}

fn kto(columns: &Columns, scores: &Scores, beta: f64, weights: [f64; 2]) -> Result<Loss> {
    let mismatched = columns.signal("kl_log_ratios")?;
    let kl = (mismatched.iter().sum::<f64>() / mismatched.len().max(1) as f64).max(0.0);
    let labels = labels(columns)?;
    let share = 1.0 / labels.len().max(1) as f64;
    let (mut value, mut by_score) = (0.0, Vec::with_capacity(labels.len()));
    for (&label, score) in labels.iter().zip(&scores.values) {
        let sign = if label == 1 { 1.0 } else { -1.0 };
        let x = sign * beta * (score - kl);
        value += share * weights[label] * logistic(-x);
        by_score.push(-share * weights[label] * sign * beta * logistic(x) * logistic(-x));
    }
    let parts = [("kl".to_owned(), kl)].into_iter().collect();
    Ok(Loss { value, parts, logprobs: scores.gradient(columns, &by_score), ..Loss::default() })
}
