//! SPA-RL's progress estimator: contributions of turns that add up to the outcome.

use meed_operators::objectives::Loss;

use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;

/// `L = mean over rollouts of (sum_k c_k - reward)^2`, with `c_k` the head's value at the last token of
/// turn `k`: `values` where the signal `turn_ends` (one per token) is 1. The gradient is with respect to
/// values.
///
/// The output `predictions` has the sum per rollout.
pub const SPA_RL: NamedObjective = NamedObjective {
    name: "spa_rl",
    title: "the loss of SPA-RL's progress estimator",
    citation: "Wang et al. 2025, SPA-RL, arXiv 2505.20732",
    formula: "(sum over turns of c - reward)^2",
    parameters: &[],
    build: |_| {
        Ok(function("spa_rl", |columns| {
            let contributions = columns.needed(&columns.values, "token_values")?;
            let ends = columns.token_signal("turn_ends")?;
            let rewards = columns.rewarded()?;
            let share = 1.0 / columns.rollouts().max(1) as f64;
            let (mut value, mut gradient) = (0.0, vec![0.0; columns.tokens()]);
            let mut predictions = Vec::with_capacity(columns.rollouts());
            for (range, reward) in columns.ranges().zip(rewards) {
                let turns = range.filter(|&t| ends[t] != 0.0);
                let prediction: f64 = turns.clone().map(|t| contributions[t]).sum();
                value += share * (prediction - reward).powi(2);
                turns.for_each(|t| gradient[t] = 2.0 * share * (prediction - reward));
                predictions.push(prediction);
            }
            let outputs = [("predictions".to_owned(), predictions)].into_iter().collect();
            let logprobs = vec![0.0; columns.tokens()];
            Ok(Loss { value, logprobs, values: Some(gradient), outputs, ..Loss::default() })
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "as the code, whose head has read the marked token; a learner of meed gives \
    the value before it, so that a turn's end is marked at the token after the turn, where there is one";
