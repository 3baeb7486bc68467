//! RISE: DPO over pairs of whole solutions and pairs of one edited step.

use meed_operators::objectives::preference::{
    Scores, mean_over_pairs, negative_log_likelihood, preferred, sigmoid,
};

use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::parameter;

/// `L = -log sigmoid(beta (s_w - s_l))`, with sums over the tokens of the response, or of the step that was
/// edited: what the two share is context, and not in the mask.
pub const RISE: NamedObjective = NamedObjective {
    name: "rise",
    title: "DPO on full pairs and self-edited steps",
    citation: "Xu et al. 2024, Subtle Errors Matter (RISE), arXiv 2410.06638",
    formula: "-log sigmoid(beta (s_w - s_l)) + nll_weight NLL(w)",
    parameters: &[&[
        parameter("beta", "0.4", "scale of log-ratios; 0.05 by the code's configuration, 0.4 by its script"),
        parameter(
            "nll_weight",
            "0",
            "weight of the likelihood of the chosen parts; the paper has it, the code not",
        ),
    ]],
    build: |parameters| {
        let (beta, nll_weight) = (parameters.number("beta")?, parameters.number("nll_weight")?);
        Ok(function("rise", move |columns| {
            let scores = Scores::log_ratios(columns)?;
            let mut loss = mean_over_pairs(columns, &scores, |_, w, l| sigmoid(beta, 0.0, w, l))?;
            let rewards: Vec<f64> = scores.values.iter().map(|score| beta * score).collect();
            preferred(&mut loss, &columns.pairs, &rewards);
            if nll_weight != 0.0 {
                let chosen = columns.pairs.iter().map(|pair| pair.chosen);
                let likelihood = negative_log_likelihood(columns, chosen)?;
                loss.parts.insert("nll".into(), likelihood.value);
                loss.add_weighted(nll_weight, likelihood);
            }
            Ok(loss)
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "as the code; the NLL term is only in the paper, and its mean over tokens is \
    a guess. How pairs are made by editing steps is not part of the objective";
