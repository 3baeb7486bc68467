//! OREAL: correct rollouts are cloned, incorrect ones pushed away, both weighted by what a token-level
//! reward model says of each token.
//!
//! With `w` the reward model's logits, `p_t = sigmoid(mean(w_1..w_t))`, and `s` the rescale:
//!
//! - positive: `-A s(p_t) logp_t`, over the tokens of correct rollouts;
//! - negative: `-A s(1 - p_t) rho_t` with `rho_t = exp(logp_t - sg(logp_t))`, over those of incorrect ones;
//! - divergence from the reference policy, over all tokens;
//! - reward model: binary cross-entropy of `mean(w)` with "is correct", mean over rollouts.

use meed_operators::Result;
use meed_operators::credit::ExactSum;
use meed_operators::objectives::preference::{cross_entropy, logistic};
use meed_operators::objectives::{Advantages, Columns, Divergence, Estimator, Loss, Objective};

use crate::objectives::NamedObjective;
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("token_reward_model", "true", "weigh tokens by the reward model; false: every weight is 1"),
    parameter("rescale", "threshold", "how probabilities become weights: threshold, topk"),
    parameter("threshold_correct", "0.5", "probability of weight 0 in correct rollouts"),
    parameter("threshold_incorrect", "0.5", "the same in incorrect rollouts"),
    parameter("topk_correct", "0.5", "share of a correct rollout's tokens that has a weight"),
    parameter("topk_incorrect", "0.5", "the same in incorrect rollouts"),
    parameter("positive_times_advantage", "true", "multiply the cloning term by the advantage"),
    parameter(
        "kl_estimator",
        "k3",
        "divergence from the reference: k2, k3, or negative_k1 (ref - logp), which raises logp",
    ),
    parameter("kl_coef", "0.01", "its coefficient"),
    parameter("positive_factor", "1", "coefficient of the cloning term"),
    parameter("negative_factor", "0.5", "coefficient of the negative term"),
];

/// OREAL's losses of the policy and, beside them, of its token-level reward model.
pub const OREAL: NamedObjective = NamedObjective {
    name: "oreal",
    title: "clone correct rollouts, push incorrect ones away, weighted by a token reward model",
    citation: "Lyu et al. 2025, arXiv 2502.06781; train_oreal.py",
    formula: "-A s(p) logp where correct, -A s(1 - p) r where not; + kl_coef KL; reward model: cross-entropy",
    parameters: &[PARAMETERS],
    build,
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equal to the released losses; where topk selects no token, every weight is 0, where \
                            the release fails";

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let rescale = |threshold: &str, topk: &str| match parameters.text("rescale")? {
        "threshold" => Ok(Rescale::Threshold(parameters.number(threshold)?)),
        "topk" => Ok(Rescale::TopK(parameters.number(topk)?)),
        _ => Err(parameters.unknown("rescale", &["threshold", "topk"])),
    };
    let coef = parameters.number("kl_coef")?;
    let (estimator, coef) = match parameters.text("kl_estimator")? {
        "k3" => (Estimator::K3, coef),
        "k2" => (Estimator::K2, coef),
        "negative_k1" => (Estimator::K1, -coef),
        _ => return Err(parameters.unknown("kl_estimator", &["k2", "k3", "negative_k1"])),
    };
    Ok(Box::new(Oreal {
        token_reward_model: parameters.boolean("token_reward_model")?,
        correct: rescale("threshold_correct", "topk_correct")?,
        incorrect: rescale("threshold_incorrect", "topk_incorrect")?,
        positive_times_advantage: parameters.boolean("positive_times_advantage")?,
        divergence: Divergence { coef, estimator, ..Divergence::default() },
        positive_factor: parameters.number("positive_factor")?,
        negative_factor: parameters.number("negative_factor")?,
    }))
}

struct Oreal {
    token_reward_model: bool,
    correct: Rescale,
    incorrect: Rescale,
    positive_times_advantage: bool,
    divergence: Divergence,
    positive_factor: f64,
    negative_factor: f64,
}

/// From the probability that a token is right (or wrong) to its weight in `0..=1`.
#[derive(Debug, Clone, Copy)]
enum Rescale {
    /// `clamp((p - threshold) / (1 - threshold), 0, 1)`.
    Threshold(f64),
    /// The share of tokens with the largest probabilities, from 0 at the least to 1 at the largest of them;
    /// all 1 where they are equal.
    TopK(f64),
}

impl Rescale {
    fn weights(self, probabilities: &[f64]) -> Vec<f64> {
        match self {
            Rescale::Threshold(threshold) => {
                probabilities.iter().map(|p| ((p - threshold) / (1.0 - threshold)).clamp(0.0, 1.0)).collect()
            }
            Rescale::TopK(share) => {
                let count = (probabilities.len() as f64 * share) as usize;
                let mut order: Vec<usize> = (0..probabilities.len()).collect();
                order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
                let mut weights = vec![0.0; probabilities.len()];
                if let (Some(&largest), Some(&least)) =
                    (order.first(), count.checked_sub(1).and_then(|last| order.get(last)))
                {
                    let (top, bottom) = (probabilities[largest], probabilities[least]);
                    for &t in &order[..count] {
                        weights[t] =
                            if top == bottom { 1.0 } else { (probabilities[t] - bottom) / (top - bottom) };
                    }
                }
                weights
            }
        }
    }
}

impl Objective for Oreal {
    fn name(&self) -> &str {
        "oreal"
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        columns.check()?;
        let advantages = Advantages::Token.of(columns)?;
        let rewards = columns.rewarded()?;
        let reference = columns.needed(&columns.ref_logprobs, "token_ref_logprobs")?;
        let logits =
            if self.token_reward_model { Some(columns.token_signal("token_rm_logits")?) } else { None };
        let rollouts: Vec<Vec<usize>> = columns.ranges().map(|range| columns.trainable(range)).collect();
        let tokens = |of: bool| -> f64 {
            let sizes = rollouts.iter().zip(rewards).filter(|(_, reward)| (**reward > 0.0) == of);
            sizes.map(|(tokens, _)| tokens.len()).sum::<usize>() as f64
        };
        let (positives, negatives) = (tokens(true), tokens(false));
        let trained = rollouts.iter().filter(|tokens| !tokens.is_empty()).count() as f64;

        let mut loss = Loss::zero(columns);
        let mut by_logit = vec![0.0; columns.tokens()];
        let [mut positive, mut negative, mut divergence, mut reward_model] =
            [(); 4].map(|()| ExactSum::default());
        for (tokens, &reward) in rollouts.iter().zip(rewards).filter(|(tokens, _)| !tokens.is_empty()) {
            let correct = reward > 0.0;
            for (&t, weight) in tokens.iter().zip(self.weights(tokens, logits, correct)) {
                if correct {
                    let advantage = if self.positive_times_advantage { advantages[t] } else { 1.0 };
                    let slope = -self.positive_factor * advantage * weight / positives;
                    positive.add(slope * columns.logprobs[t]);
                    loss.logprobs[t] += slope;
                } else {
                    // exp(logp - sg(logp)) is 1, and has the derivative of logp.
                    let slope = -self.negative_factor * advantages[t] * weight / negatives;
                    negative.add(slope);
                    loss.logprobs[t] += slope;
                }
                let (value, slope) = self.divergence.token(columns.logprobs[t], reference[t]);
                divergence.add(self.divergence.coef * value / (positives + negatives));
                loss.logprobs[t] += self.divergence.coef * slope / (positives + negatives);
            }
            if let Some(logits) = logits {
                let count = tokens.len() as f64;
                let mean = tokens.iter().map(|&t| logits[t]).sum::<f64>() / count;
                let (value, slope) = cross_entropy(mean, f64::from(u8::from(correct)));
                reward_model.add(value / trained);
                tokens.iter().for_each(|&t| by_logit[t] = slope / (count * trained));
            }
        }
        let [positive, negative, divergence] = [positive, negative, divergence].map(|sum| sum.value());
        loss.value = positive + negative + divergence;
        loss.part("positive_loss", positive);
        loss.part("negative_loss", negative);
        loss.part("kl_loss", divergence);
        if logits.is_some() {
            loss.part("reward_model_loss", reward_model.value());
            loss.signals.insert("token_rm_logits".into(), by_logit);
        }
        Ok(loss)
    }
}

impl Oreal {
    /// Weights of a rollout's tokens, held fixed.
    fn weights(&self, tokens: &[usize], logits: Option<&[f64]>, correct: bool) -> Vec<f64> {
        let Some(logits) = logits else {
            return vec![1.0; tokens.len()];
        };
        let right = running_probabilities(tokens, logits);
        if correct {
            self.correct.weights(&right)
        } else {
            self.incorrect.weights(&right.iter().map(|p| 1.0 - p).collect::<Vec<_>>())
        }
    }
}

/// `sigmoid(mean of the logits so far)` at every token.
fn running_probabilities(tokens: &[usize], logits: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    let mean = |(before, &t): (usize, &usize)| {
        sum += logits[t];
        logistic(sum / (before + 1) as f64)
    };
    tokens.iter().enumerate().map(mean).collect()
}
