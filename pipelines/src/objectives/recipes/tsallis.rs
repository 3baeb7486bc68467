//! The Tsallis losses GARL and PAFT: how fast a model commits to the reference answers, from
//! reinforcement of their probability (q = 0) to their log-likelihood (q = 1).
//!
//! Of `M` rollouts of a prompt, `w_m = p(y* | x, z_m)` is the probability of the reference answer after
//! reasoning `z_m`, and `w` their mean.
//!
//! - GARL: the loss `(1 - w^(1-q)) / (1-q)`, `-ln w` at q = 1. Reasoning tokens get the advantage
//!   `c_m = w_m / w^q - w_{-m}^(1-q)` with the mean of the other rollouts, answer tokens the weight
//!   `w_m / w^q`: the gradient is `-1/M sum_m (c_m grad log p(z_m) + w_m / w^q grad log p(y* | z_m))`.
//! - PAFT: `w^(1-q) E[-log p(z, y*)]` where rollout `m` is drawn with probability `w_m / sum(w)`.

use std::collections::BTreeMap;

use meed_operators::Result;
use meed_operators::credit::ExactSum;
use meed_operators::objectives::{Columns, Loss, Objective, exact};

use crate::objectives::NamedObjective;
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("form", "garl", "garl, paft"),
    parameter("q", "0.75", "0: reinforce correctness; 1: maximise the likelihood of the answers"),
];

/// A mean answer probability below this counts as this.
const LEAST: f64 = 1e-12;

/// `(1 - p^(1-q)) / (1 - q)`, in its limit `-ln p` at q = 1.
pub fn tsallis_loss(p: f64, q: f64) -> f64 {
    if q == 1.0 { -p.ln() } else { (1.0 - p.powf(1.0 - q)) / (1.0 - q) }
}

/// Advantages of the reasoning and weights of the answer tokens of a prompt's rollouts, from the
/// probabilities of the reference answer. A single rollout has no baseline.
///
/// ```
/// use meed_pipelines::objectives::recipes::tsallis::garl_weights;
/// let (reasoning, answers) = garl_weights(&[0.1, 0.4, 0.02, 0.08], 0.0);
/// // At q = 0: the probability less the mean of the others, and the probability.
/// assert!((reasoning[0] + 0.0666666667).abs() < 1e-9);
/// assert_eq!(answers[1], 0.4);
/// ```
pub fn garl_weights(probabilities: &[f64], q: f64) -> (Vec<f64>, Vec<f64>) {
    let scale = mean(probabilities).powf(q);
    let answers: Vec<f64> = probabilities.iter().map(|w| w / scale).collect();
    let baseline = |rollout: usize| -> f64 {
        let others = || probabilities.iter().enumerate().filter(|&(i, _)| i != rollout).map(|(_, w)| *w);
        match others().count() {
            0 => 0.0,
            count => (exact(others()) / count as f64).powf(1.0 - q),
        }
    };
    let reasoning = answers.iter().enumerate().map(|(rollout, answer)| answer - baseline(rollout)).collect();
    (reasoning, answers)
}

fn mean(probabilities: &[f64]) -> f64 {
    (exact(probabilities.iter().copied()) / probabilities.len() as f64).max(LEAST)
}

/// GARL and PAFT. The tokens of `y*` are those where the signal `token_is_answer` is not 0, so that `w_m` is
/// read off the current log-probabilities.
pub const TSALLIS: NamedObjective = NamedObjective {
    name: "tsallis",
    title: "Tsallis losses of the probability of a reference answer (GARL, PAFT)",
    citation: "How Fast Should a Model Commit to Supervision? Tsallis Loss Continuum",
    formula: "garl: (1 - w^(1-q)) / (1-q); paft: -w^(1-q) sum_m w_m / sum(w) log p(z_m, y*)",
    parameters: &[PARAMETERS],
    build,
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equations; the constant factor 1 / M^q of the authors' implementation is left out, \
                            PAFT takes the expectation of its resampling in place of a draw, and a mean \
                            probability below 1e-12 counts as 1e-12";

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let resample = match parameters.text("form")? {
        "garl" => false,
        "paft" => true,
        _ => return Err(parameters.unknown("form", &["garl", "paft"])),
    };
    Ok(Box::new(Tsallis { q: parameters.number("q")?, resample }))
}

/// Either form, as the mean over the prompts of the batch.
struct Tsallis {
    q: f64,
    resample: bool,
}

impl Objective for Tsallis {
    fn name(&self) -> &str {
        "tsallis"
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        columns.check()?;
        let answer = columns.token_signal("token_is_answer")?;
        let log_probability = |tokens: &[usize], of: fn(f64) -> bool| -> f64 {
            tokens.iter().filter(|&&t| of(answer[t])).map(|&t| columns.logprobs[t]).sum()
        };
        let mut prompts: BTreeMap<usize, Vec<Vec<usize>>> = BTreeMap::new();
        for (rollout, range) in columns.ranges().enumerate() {
            let tokens = columns.trainable(range);
            if !tokens.is_empty() {
                prompts.entry(columns.group(rollout)).or_default().push(tokens);
            }
        }
        let mut loss = Loss::zero(columns);
        let (mut value, mut answered) = (ExactSum::default(), ExactSum::default());
        for rollouts in prompts.values() {
            let probabilities: Vec<f64> =
                rollouts.iter().map(|tokens| log_probability(tokens, |is| is != 0.0).exp()).collect();
            let marginal = mean(&probabilities);
            let share = 1.0 / (prompts.len() * rollouts.len()) as f64;
            let (reasoning, answers) = garl_weights(&probabilities, self.q);
            answered.add(marginal / prompts.len() as f64);
            if !self.resample {
                value.add(tsallis_loss(marginal, self.q) / prompts.len() as f64);
            }
            for (rollout, tokens) in rollouts.iter().enumerate() {
                // w^(1-q) w_m / sum(w) = w_m / w^q / M: PAFT's weight is that of GARL's answers, everywhere.
                let of_reasoning = if self.resample { answers[rollout] } else { reasoning[rollout] };
                if self.resample {
                    value.add(-share * answers[rollout] * log_probability(tokens, |_| true));
                }
                for &t in tokens {
                    let weight = if answer[t] != 0.0 { answers[rollout] } else { of_reasoning };
                    loss.logprobs[t] = -share * weight;
                }
            }
        }
        loss.value = value.value();
        loss.part("answer_probability", answered.value());
        Ok(loss)
    }
}
