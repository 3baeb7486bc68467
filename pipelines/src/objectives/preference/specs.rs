//! SPECS: the cold start by preference, DPO with the likelihood of the chosen responses.

use meed_operators::objectives::preference::{
    Scores, mean_over_pairs, negative_log_likelihood, preferred, sigmoid,
};

use super::dpo::BETA;
use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::parameter;

/// `L = -log sigmoid(beta (s_w - s_l)) + lambda NLL(chosen)`; the rejected response is the chosen one with a
/// broken format.
pub const SPECS: NamedObjective = NamedObjective {
    name: "specs",
    title: "DPO and SFT on self-distilled format preferences",
    citation: "Metis-SPECS, 2025, arXiv 2510.25801",
    formula: "-log sigmoid(beta (s_w - s_l)) - lambda mean logp_w",
    parameters: &[&[BETA, parameter("lambda", "0.5", "weight of the likelihood of the chosen responses")]],
    build: |parameters| {
        let (beta, lambda) = (parameters.number("beta")?, parameters.number("lambda")?);
        Ok(function("specs", move |columns| {
            let scores = Scores::log_ratios(columns)?;
            let mut loss = mean_over_pairs(columns, &scores, |_, w, l| sigmoid(beta, 0.0, w, l))?;
            let rewards: Vec<f64> = scores.values.iter().map(|score| beta * score).collect();
            preferred(&mut loss, &columns.pairs, &rewards);
            let likelihood = negative_log_likelihood(columns, columns.pairs.iter().map(|pair| pair.chosen))?;
            loss.parts.extend([("dpo".to_owned(), loss.value), ("nll".to_owned(), likelihood.value)]);
            loss.add_weighted(lambda, likelihood);
            Ok(loss)
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "equations. Guessed: beta, lambda (0.5 to 1), and that the likelihood is a \
    mean over the chosen tokens of the batch";
