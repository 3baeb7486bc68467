//! POWER with dynamic labels: a robust reward, and labels that follow the model's own confidence.

use meed_operators::objectives::preference::{
    PairLoss, Scores, cross_entropy, logistic, mean_over_pairs, preferred,
};
use meed_operators::{Error, Result};

use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::parameter;

/// `L = -l log sigmoid(d) - (1 - l) log sigmoid(-d) - eta beta m_w`, with `m` the mean log-probability of a
/// response and `d = beta (m_w - m_l + 1/|y_w| - 1/|y_l|)`.
///
/// The label `l` of each pair is in the signal `pair_labels` (1 where absent), held fixed. After each
/// visit it becomes `(1 - gamma) l + gamma sigmoid(d)`, which is the output `pair_labels`: store it by pair.
pub const POWER_DL: NamedObjective = NamedObjective {
    name: "power_dl",
    title: "robust rewards with dynamic labels",
    citation: "Rashidinejad and Tian 2024, Sail into the Headwind, arXiv 2412.09544",
    formula: "-l log sigmoid(d) - (1 - l) log sigmoid(-d) - eta beta m_w, d = beta (m_w - m_l + 1/|y_w| - 1/|y_l|)",
    parameters: &[&[
        parameter("beta", "2", "scale of the margin"),
        parameter("eta", "0.001", "weight of the chosen response's mean log-probability"),
        parameter("gamma", "0.1", "how fast labels follow the model"),
    ]],
    build: |parameters| {
        let (beta, eta) = (parameters.number("beta")?, parameters.number("eta")?);
        let gamma = parameters.number("gamma")?;
        Ok(function("power_dl", move |columns| {
            let pairs = columns.known_pairs()?;
            let labels = match columns.signals.get("pair_labels") {
                None => vec![1.0; pairs.len()],
                Some(labels) if labels.len() == pairs.len() => labels.clone(),
                Some(labels) => {
                    return Err(Error::usage(
                        format!("power_dl: {} labels for {} pairs", labels.len(), pairs.len()),
                        "pair_labels has one value per pair",
                    ));
                }
            };
            let means = Scores::likelihoods(columns)?.per_token(columns);
            let lengths = lengths(columns)?;
            let margin = |i: usize, w: f64, l: f64| {
                let pair = pairs[i];
                beta * (w - l + 1.0 / lengths[pair.chosen] - 1.0 / lengths[pair.rejected])
            };
            let mut loss = mean_over_pairs(columns, &means, |i, w, l| {
                let robust = PairLoss { value: -eta * beta * w, chosen: -eta * beta, rejected: 0.0 };
                PairLoss::of_margin(beta, cross_entropy(margin(i, w, l), labels[i])).plus(robust)
            })?;
            let next = pairs.iter().enumerate().map(|(i, pair)| {
                let confidence = logistic(margin(i, means.values[pair.chosen], means.values[pair.rejected]));
                (1.0 - gamma) * labels[i] + gamma * confidence
            });
            loss.outputs.insert("pair_labels".into(), next.collect());
            let rewards: Vec<f64> = means.values.iter().map(|mean| beta * mean).collect();
            preferred(&mut loss, pairs, &rewards);
            Ok(loss)
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "reconstructed from the abstract: guessed are the weight 1/|y|, the offset, \
    the update of labels, and all defaults";

/// Number of trained tokens of each rollout that is in a pair.
fn lengths(columns: &meed_operators::objectives::Columns) -> Result<Vec<f64>> {
    let lengths: Vec<f64> =
        columns.ranges().map(|range| range.filter(|&t| columns.mask[t]).count() as f64).collect();
    match columns.pairs.iter().flat_map(|pair| [pair.chosen, pair.rejected]).find(|&i| lengths[i] == 0.0) {
        None => Ok(lengths),
        Some(rollout) => Err(Error::usage(
            format!("power_dl: rollout {rollout} has no token to train on"),
            "leave its pair out",
        )),
    }
}
