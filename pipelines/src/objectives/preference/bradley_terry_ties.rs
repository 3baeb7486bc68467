//! Preferences with ties: what a reward model of pairs is trained with, where annotators may see no difference.

use meed_operators::objectives::Loss;
use meed_operators::objectives::preference::{log_sigmoid, logistic};
use meed_operators::{Error, Result};

use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::{Parameters, parameter};

/// `L = -log sigmoid(r_w - r_l - log theta)` for a preference, and for a tie both directions of it less
/// `log(theta^2 - 1)`: minus the log-likelihood under
/// `P(w) = exp(r_w) / (exp(r_w) + theta exp(r_l))` and
/// `P(tie) = (theta^2 - 1) exp(r_w + r_l) / ((exp(r_w) + theta exp(r_l)) (theta exp(r_w) + exp(r_l)))`.
///
/// Signals: `scores`, the model's reward of each rollout, with respect to which the gradient is, and `pair_ties`,
/// 1 for each pair that is a tie; without it none is.
pub const BRADLEY_TERRY_TIES: NamedObjective = NamedObjective {
    name: "bradley_terry_ties",
    title: "likelihood of preferences and ties under scores",
    citation: "Liu et al. 2025, Improving Video Generation with Human Feedback, arXiv 2501.13918, equations 1 and 2; KwaiVGI/VideoAlign",
    formula: "-log sigmoid(r_w - r_l - log theta); ties in both directions, less log(theta^2 - 1)",
    parameters: &[&[parameter("theta", "5", "how easily a pair is a tie; above 1")]],
    build: |parameters| {
        let theta = theta(parameters)?;
        Ok(function("bradley_terry_ties", move |columns| {
            let (pairs, scores) = (columns.known_pairs()?, columns.rollout_signal("scores")?);
            let ties = columns.signals.get("pair_ties");
            if let Some(ties) = ties.filter(|ties| ties.len() != pairs.len()) {
                return Err(Error::usage(
                    format!("signal pair_ties has {} values for {} pairs", ties.len(), pairs.len()),
                    "it has one value per pair: 1 for a tie, else 0",
                ));
            }
            let share = 1.0 / pairs.len().max(1) as f64;
            let (mut loss, mut by_score) = (Loss::zero(columns), vec![0.0; scores.len()]);
            let mut losses = Vec::with_capacity(pairs.len());
            for (i, pair) in pairs.iter().enumerate() {
                let gap = scores[pair.chosen] - scores[pair.rejected];
                let (mut value, mut slope) = toward(gap, theta);
                if ties.is_some_and(|ties| ties[i] != 0.0) {
                    let (other, back) = toward(-gap, theta);
                    value += other - (theta * theta - 1.0).ln();
                    slope -= back;
                }
                loss.value += share * pair.weight * value;
                by_score[pair.chosen] += share * pair.weight * slope;
                by_score[pair.rejected] -= share * pair.weight * slope;
                losses.push(value);
            }
            loss.outputs.insert("pair_losses".into(), losses);
            loss.signals.insert("scores".into(), by_score);
            Ok(loss)
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str =
    "equations: as the code, whose probabilities of either preference and of a tie add up to 1";

/// `-log sigmoid(gap - log theta)` and its derivative.
fn toward(gap: f64, theta: f64) -> (f64, f64) {
    let x = gap - theta.ln();
    (-log_sigmoid(x), -logistic(-x))
}

fn theta(parameters: &Parameters) -> Result<f64> {
    let theta = parameters.number("theta")?;
    if theta > 1.0 { Ok(theta) } else { Err(parameters.unknown("theta", &["a number above 1"])) }
}
