//! Preference objectives: losses on pairs of rollouts, through scores that are linear in log-probabilities.
//!
//! A score is one number per rollout, such as `sum_t (logp_t - ref_t)`; [`Scores`] knows its derivative.
//! A [`PairLoss`] is a loss of two scores with both derivatives, and [`mean_over_pairs`] puts them together
//! into a [`Loss`](super::Loss) of the batch. The pairs are in [`Columns::pairs`](super::Columns::pairs), so
//! that an update step drives a preference objective as it does any other:
//!
//! ```
//! use meed_operators::objectives::preference::{self, Pair, Scores};
//! use meed_operators::objectives::{Columns, Loss};
//! use meed_operators::policy::{LossFunction, TokenScores};
//!
//! let columns = Columns {
//!     offsets: vec![0, 2, 3],
//!     mask: vec![true; 3],
//!     ref_logprobs: Some(vec![-1.0, -1.0, -1.0]),
//!     pairs: vec![Pair::new(0, 1)],
//!     ..Columns::default()
//! };
//! let dpo: &LossFunction = &|scored: &TokenScores| {
//!     let logprobs = scored.logprobs.iter().map(|&x| f64::from(x)).collect();
//!     let columns = Columns { logprobs, ..columns.clone() };
//!     let scores = Scores::log_ratios(&columns)?;
//!     preference::mean_over_pairs(&columns, &scores, |_, chosen, rejected| {
//!         preference::sigmoid(0.1, 0.0, chosen, rejected)
//!     })
//! };
//! let loss: Loss = dpo(&TokenScores { logprobs: vec![-0.5, -0.75, -1.5], ..TokenScores::default() })?;
//! // The margin is 0.1 * (0.75 + 0.5).
//! assert!((loss.value - (1.0 + f64::exp(-0.125)).ln()).abs() < 1e-12);
//! assert!(loss.logprobs[0] < 0.0 && loss.logprobs[2] > 0.0);
//! # Ok::<(), meed_operators::Error>(())
//! ```

mod draw;
mod forms;
mod likelihood;
mod logistic;
mod over_pairs;
mod pairs;
mod scores;
mod sorted;
#[cfg(test)]
mod tests;

pub use draw::draw;
pub use forms::{
    PairLoss, apo_down, apo_zero, bco_pair, discopop, exo_pair, hinge, ipo, nca_pair, robust, sigmoid,
    sppo_hard,
};
pub use likelihood::{implicit_rewards, negative_log_likelihood};
pub use logistic::{cross_entropy, log_sigmoid, logistic, soft_value, softmax, softplus};
pub use over_pairs::{mean_over_pairs, of_pairs, preferred};
pub use pairs::{Pair, best_against_worst, better_against_worse};
pub use scores::{Divergence, Scores};
pub use sorted::sorted_margins;
