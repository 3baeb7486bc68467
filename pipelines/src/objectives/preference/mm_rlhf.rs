//! MM-RLHF's dynamic reward scaling: DPO with a temperature of its own for each pair.

use meed_operators::objectives::Columns;
use meed_operators::objectives::preference::{
    self, Pair, Scores, mean_over_pairs, negative_log_likelihood, preferred, sigmoid,
};
use meed_operators::random::RandomKey;
use meed_operators::{Error, Result};

use super::dpo::BETA;
use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::objectives::parts::pairs::pair_signal;
use crate::parameters::{Parameters, parameter};

/// `L = -log sigmoid(beta_i z_i)` with `z = s_w - s_l`, plus the likelihood of the chosen responses;
/// `beta_i` is held fixed and at least 0.001.
///
/// | mode | `beta_i` |
/// |---|---|
/// | implicit | `beta (1 + w (mean of the drawn z - mean z))`, for all pairs |
/// | explicit | `beta (1 + w m_i)`, `m` the signal `pair_margin_factor` |
/// | paper | `beta (1 + w (1 - exp(-k (r_w - r_l))))`, `r` the rewards |
///
/// In implicit mode the signal `pair_drawn` is 1 for pairs that [`draw`] drew. Outputs: `pair_losses`,
/// `betas`, `implicit_rewards`, and in implicit mode `draw_weights`.
pub const MM_RLHF: NamedObjective = NamedObjective {
    name: "mm_rlhf",
    title: "DPO with dynamic reward scaling",
    citation: "Zhang et al. 2025, MM-RLHF, arXiv 2502.10391",
    formula: "-log sigmoid(beta_i (s_w - s_l)) + sft_weight NLL(w)",
    parameters: &[&[
        BETA,
        parameter("w", "0.1", "how far beta follows the margin; about 0.5 in the paper"),
        parameter("k", "0.5", "how fast, in mode paper"),
        parameter("mode", "implicit", "implicit, explicit or paper"),
        parameter("keep_ratio", "0.8", "share of pairs that were drawn in implicit mode"),
        parameter("label_smoothing", "1", "weight of the correct order: 1 trusts all labels"),
        parameter("dpo_weight", "1", "weight of the preference loss"),
        parameter("sft_weight", "0.25", "weight of the likelihood of the chosen responses"),
    ]],
    build: |parameters| {
        let mode = Mode::of(parameters)?;
        let beta = parameters.number("beta")?;
        let flipped = 1.0 - parameters.number("label_smoothing")?;
        let (dpo_weight, sft_weight) = (parameters.number("dpo_weight")?, parameters.number("sft_weight")?);
        Ok(function("mm_rlhf", move |columns| {
            let scores = Scores::log_ratios(columns)?;
            let factors = mode.factors(columns, &scores)?;
            let betas: Vec<f64> = factors.iter().map(|factor| (beta * factor).max(1e-3)).collect();
            let dpo = mean_over_pairs(columns, &scores, |i, w, l| sigmoid(betas[i], flipped, w, l))?;
            let mut loss = meed_operators::objectives::Loss::default();
            loss.parts.insert("dpo".into(), dpo.value);
            loss.add_weighted(dpo_weight, dpo);
            let rewards: Vec<f64> = scores.values.iter().map(|score| beta * score).collect();
            preferred(&mut loss, &columns.pairs, &rewards);
            if sft_weight != 0.0 {
                let chosen = columns.pairs.iter().map(|pair| pair.chosen);
                let likelihood = negative_log_likelihood(columns, chosen)?;
                loss.parts.insert("sft".into(), likelihood.value);
                loss.add_weighted(sft_weight, likelihood);
            }
            if matches!(mode, Mode::Implicit { .. }) {
                loss.outputs.insert("draw_weights".into(), draw_weights(&margins(columns, &scores)?));
            }
            loss.outputs.extend([("betas".to_owned(), betas), ("implicit_rewards".to_owned(), rewards)]);
            Ok(loss)
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "as the code; mode paper is the paper's formula, which the code overrides. A \
    batch from which nothing is drawn (one pair) keeps beta, where the code raises";

#[derive(Clone, Copy)]
enum Mode {
    Implicit { w: f64, keep_ratio: f64 },
    Explicit { w: f64 },
    Paper { w: f64, k: f64 },
}

impl Mode {
    fn of(parameters: &Parameters) -> Result<Self> {
        let w = parameters.number("w")?;
        match parameters.text("mode")? {
            "implicit" => Ok(Mode::Implicit { w, keep_ratio: parameters.number("keep_ratio")? }),
            "explicit" => Ok(Mode::Explicit { w }),
            "paper" => Ok(Mode::Paper { w, k: parameters.number("k")? }),
            _ => Err(parameters.unknown("mode", &["implicit", "explicit", "paper"])),
        }
    }

    /// What beta is multiplied by, for each pair.
    fn factors(self, columns: &Columns, scores: &Scores) -> Result<Vec<f64>> {
        let pairs = columns.known_pairs()?;
        Ok(match self {
            Mode::Implicit { w, keep_ratio } => {
                let z = margins(columns, scores)?;
                let drawn = pair_signal(columns, "pair_drawn")?;
                let of_drawn: Vec<f64> =
                    z.iter().zip(drawn).filter(|(_, drawn)| **drawn != 0.0).map(|(z, _)| *z).collect();
                let wanted = count(keep_ratio, z.len());
                if of_drawn.len() != wanted {
                    return Err(Error::usage(
                        format!("mm_rlhf: {} of {} pairs are drawn, not {wanted}", of_drawn.len(), z.len()),
                        "draw them with the same keep_ratio (mm_rlhf::draw)",
                    ));
                }
                let shift = if of_drawn.is_empty() { 0.0 } else { mean(&of_drawn) - mean(&z) };
                vec![1.0 + w * shift; pairs.len()]
            }
            Mode::Explicit { w } => {
                pair_signal(columns, "pair_margin_factor")?.iter().map(|m| 1.0 + w * m).collect()
            }
            Mode::Paper { w, k } => {
                let rewards = columns.rewarded()?;
                let factor = |gap: f64| 1.0 + w * (1.0 - (-k * gap).exp());
                pairs.iter().map(|pair| factor(rewards[pair.chosen] - rewards[pair.rejected])).collect()
            }
        })
    }
}

/// Draws `floor(keep_ratio n)` of a batch's pairs without replacement, a pair whose margin is near the mean
/// more often: 1 for each pair that was drawn, 0 for the others, as the signal `pair_drawn`.
///
/// # Errors
/// A batch without reference log-probabilities.
pub fn draw(columns: &Columns, keep_ratio: f64, key: RandomKey) -> Result<Vec<f64>> {
    let weights = draw_weights(&margins(columns, &Scores::log_ratios(columns)?)?);
    let drawn = preference::draw(&weights, count(keep_ratio, weights.len()), key);
    Ok(drawn.into_iter().map(|drawn| if drawn { 1.0 } else { 0.0 }).collect())
}

/// How many of some pairs are drawn.
fn count(keep_ratio: f64, pairs: usize) -> usize {
    (keep_ratio * pairs as f64).floor() as usize
}

/// `exp(-((z - mean) / (std + 1e-7))^2 / 2)`, with the sample deviation; that of one pair is 1.
fn draw_weights(z: &[f64]) -> Vec<f64> {
    if z.len() < 2 {
        return vec![1.0; z.len()];
    }
    let center = mean(z);
    let variance = z.iter().map(|z| (z - center).powi(2)).sum::<f64>() / (z.len() - 1) as f64;
    z.iter().map(|z| (-0.5 * ((z - center) / (variance.sqrt() + 1e-7)).powi(2)).exp()).collect()
}

fn margins(columns: &Columns, scores: &Scores) -> Result<Vec<f64>> {
    let margin = |pair: &Pair| scores.values[pair.chosen] - scores.values[pair.rejected];
    Ok(columns.known_pairs()?.iter().map(margin).collect())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
