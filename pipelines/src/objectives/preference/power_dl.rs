//! POWER with dynamic labels: a robust reward, and labels that follow the model's own confidence.

use meed_operators::Error;
use meed_operators::objectives::preference::{
    Pair, PairLoss, Scores, cross_entropy, logistic, of_pairs, preferred,
};

use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::parameter;

/// `L = -l log sigmoid(d) - (1 - l) log sigmoid(-d) - eta beta m_w`, with `m` the mean log-probability of a
/// response and `d = beta (m_w - m_l + 1/|y_w| - 1/|y_l|)`.
///
/// The label `l` of each pair is in the signal `pair_labels` (1 where absent), held fixed. After each
/// visit it becomes `(1 - gamma) l + gamma sigmoid(d)`, which is the output `pair_labels`: store it by pair.
/// A pair of which one response has no token is left out.
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
            let length = |i: usize| columns.range(i).filter(|&t| columns.mask[t]).count() as f64;
            // A response without tokens has no mean: its pair is left out, of the denominator too.
            let kept = |pair: &Pair| length(pair.chosen) > 0.0 && length(pair.rejected) > 0.0;
            let scale = pairs.len() as f64 / pairs.iter().filter(|pair| kept(pair)).count().max(1) as f64;
            let margins: Vec<Option<f64>> = pairs
                .iter()
                .map(|pair| {
                    let offset = 1.0 / length(pair.chosen) - 1.0 / length(pair.rejected);
                    let gap = means.values[pair.chosen] - means.values[pair.rejected];
                    kept(pair).then_some(beta * (gap + offset))
                })
                .collect();
            let loss_of = |(i, pair): (usize, &Pair)| {
                let Some(margin) = margins[i] else {
                    return PairLoss::default();
                };
                let value = -eta * beta * means.values[pair.chosen];
                let robust = PairLoss { value, chosen: -eta * beta, rejected: 0.0 };
                PairLoss::of_margin(beta, cross_entropy(margin, labels[i])).plus(robust)
            };
            let losses: Vec<PairLoss> = pairs.iter().enumerate().map(loss_of).collect();
            let weighted: Vec<Pair> = pairs.iter().map(|pair| pair.weighted(scale * pair.weight)).collect();
            let mut loss = of_pairs(columns, &weighted, &means, &losses);
            let next = labels.iter().zip(&margins).map(|(label, margin)| match margin {
                None => *label,
                Some(margin) => (1.0 - gamma) * label + gamma * logistic(*margin),
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
