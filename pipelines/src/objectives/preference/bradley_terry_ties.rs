//! Preferences with ties: what a reward model of pairs is trained with, where annotators may see no difference.

use meed_operators::Result;
use meed_operators::objectives::preference::{PairLoss, log_sigmoid, logistic};

use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::objectives::parts::pairs::{optional_pair_signal, over_scores};
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
            let ties = optional_pair_signal(columns, "pair_ties")?;
            over_scores(columns, |pair, w, l| {
                let won = PairLoss::of_margin(1.0, toward(w - l, theta));
                if ties.is_none_or(|ties| ties[pair] == 0.0) {
                    return won;
                }
                let both = won.plus(PairLoss::of_margin(-1.0, toward(l - w, theta)));
                PairLoss { value: both.value - (theta * theta - 1.0).ln(), ..both }
            })
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
