//! SWEET-RL: the critic of turns, trained on preferred and rejected rollouts.

use meed_operators::objectives::preference::{Scores, mean_over_pairs, preferred, sigmoid};

use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::{Parameter, parameter};

const PARAMETERS: &[Parameter] = &[parameter("beta", "1.0", "scale of the difference of the two sums")];

/// `L = -log sigmoid(beta (sum_w A - sum_l A))` with `A(turn) = mean over its tokens of logp - ref`.
///
/// The turns are the steps of the batch, or runs of trainable tokens where it has none. The log-probabilities
/// are the critic's, which reads hidden information before the rollout.
pub const SWEET_RL: NamedObjective = NamedObjective {
    name: "sweet_rl",
    title: "Bradley-Terry on the sum of the critic's advantages of turns",
    citation: "SWEET-RL, arXiv 2503.15478",
    formula: "-log sigmoid(beta (sum_w A - sum_l A)), A(turn) = mean(logp - ref)",
    parameters: &[PARAMETERS],
    build: |parameters| {
        let beta = parameters.number("beta")?;
        Ok(function("sweet_rl", move |columns| {
            let reference = columns.needed(&columns.ref_logprobs, "token_ref_logprobs")?;
            let turns = match columns.steps {
                Some(_) => columns.step_ranges()?,
                None => columns.segments(),
            };
            let mut shares = vec![0.0; columns.tokens()];
            for tokens in turns.into_iter().map(|turn| columns.trainable(turn)) {
                tokens.iter().for_each(|&t| shares[t] = 1.0 / tokens.len() as f64);
            }
            let scores = Scores::weighted(columns, Some(reference), |t| shares[t])?;
            let mut loss = mean_over_pairs(columns, &scores, |_, w, l| sigmoid(beta, 0.0, w, l))?;
            preferred(&mut loss, &columns.pairs, &scores.values);
            Ok(loss)
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "from general knowledge of the paper; the scale of the difference is a guess";
