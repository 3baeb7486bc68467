//! REAL (arXiv 2602.05630): rewards as labels, a classification loss over the sequences of a group.

use std::collections::BTreeMap;

use super::{Columns, Loss, Objective, exact};
use crate::Result;
use crate::credit::ExactSum;

/// The form of the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// `log(1 + sum_neg exp(s/tau)) + log(1 + sum_pos exp(-s/tau))`.
    #[default]
    Real,
    /// Binary cross-entropy of `s/tau` with the label "reward is the group's best", over rollouts of
    /// mixed groups.
    Bce,
    /// `softplus(logsumexp_neg(s/tau) + logsumexp_pos(-s/tau))`, the circle loss.
    Product,
}

/// REAL: `s` is the mean log-ratio of a sequence. Groups whose rewards are all equal add 0, but count in
/// the number of questions that the sum is divided by (not for [`Form::Bce`]). A rollout without a trainable
/// token has no score and takes no part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Real {
    /// The form of the loss.
    pub form: Form,
    /// Temperature.
    pub tau: f64,
}

impl Real {
    /// The loss of one group's scores and its derivatives, given which are positive; 0 where all or none
    /// are.
    ///
    /// ```
    /// use meed_operators::objectives::real::{Form, Real};
    /// let (s, positive) = ([0.1, -0.2, 0.05, 0.3], [true, false, true, false]);
    /// let of = |form| Real { form, tau: 0.5 }.group(&s, &positive);
    /// let (loss, slopes) = of(Form::Real);
    /// assert!((loss - 2.2525431503).abs() < 1e-9);
    /// assert!((slopes[3] - 1.04346497).abs() < 1e-8);
    /// assert!((of(Form::Product).0 - 1.6669307203).abs() < 1e-9);
    /// assert!((of(Form::Bce).0 / 4.0 - 0.6982596831).abs() < 1e-9);
    /// ```
    pub fn group(&self, scores: &[f64], positive: &[bool]) -> (f64, Vec<f64>) {
        let mut slopes = vec![0.0; scores.len()];
        if positive.iter().all(|&label| label) || !positive.iter().any(|&label| label) {
            return (0.0, slopes);
        }
        // The logit of a wrong answer is s/tau, that of a right one -s/tau: both are to fall.
        let sign = |i: usize| if positive[i] { -1.0 } else { 1.0 };
        let logits: Vec<f64> = scores.iter().enumerate().map(|(i, s)| sign(i) * s / self.tau).collect();
        let of = |label: bool| {
            logits.iter().zip(positive).filter(move |(_, p)| **p == label).map(|(logit, _)| *logit)
        };
        let loss = match self.form {
            Form::Real => {
                let mut total = 0.0;
                for label in [false, true] {
                    let part = log_sum_exp(of(label).chain([0.0]));
                    total += part;
                    for i in (0..scores.len()).filter(|&i| positive[i] == label) {
                        slopes[i] = (logits[i] - part).exp() * sign(i) / self.tau;
                    }
                }
                total
            }
            Form::Bce => {
                for (i, logit) in logits.iter().enumerate() {
                    slopes[i] = sigmoid(*logit) * sign(i) / self.tau;
                }
                exact(logits.iter().map(|logit| softplus(*logit)))
            }
            Form::Product => {
                let (negative, right) = (log_sum_exp(of(false)), log_sum_exp(of(true)));
                let outer = sigmoid(negative + right);
                for i in 0..scores.len() {
                    let part = if positive[i] { right } else { negative };
                    slopes[i] = outer * (logits[i] - part).exp() * sign(i) / self.tau;
                }
                softplus(negative + right)
            }
        };
        (loss, slopes)
    }
}

impl Objective for Real {
    fn name(&self) -> &str {
        "real"
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        columns.check()?;
        let old = columns.anchor(super::Anchor::Old)?;
        let rewards = columns.rewarded()?;
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let (mut scores, mut lengths) = (Vec::new(), Vec::new());
        let (mut kl, mut trained) = (ExactSum::default(), 0.0);
        for (row, range) in columns.ranges().enumerate() {
            groups.entry(columns.group(row)).or_default().push(row);
            let on = range.filter(|&t| columns.mask[t]);
            let (sum, length) = on.fold((0.0, 0.0), |(sum, n), t| {
                let d = columns.logprobs[t] - old[t];
                kl.add(d.exp() - d - 1.0);
                (sum + d, n + 1.0)
            });
            trained += length;
            scores.push(if length == 0.0 { 0.0 } else { sum / length });
            lengths.push(length);
        }
        let (mut total, mut mixed) = (ExactSum::default(), 0.0);
        let mut by_score = vec![0.0; scores.len()];
        for rows in groups.values() {
            let rows: Vec<usize> = rows.iter().copied().filter(|&row| lengths[row] > 0.0).collect();
            let best = rows.iter().map(|&row| rewards[row]).fold(f64::NEG_INFINITY, f64::max);
            let of_group: Vec<f64> = rows.iter().map(|&row| scores[row]).collect();
            let positive: Vec<bool> = rows.iter().map(|&row| rewards[row] == best).collect();
            let (loss, slopes) = self.group(&of_group, &positive);
            total.add(loss);
            if positive.iter().any(|&label| !label) {
                mixed += rows.len() as f64;
            }
            rows.iter().zip(slopes).for_each(|(&row, slope)| by_score[row] = slope);
        }
        let divisor = match self.form {
            Form::Bce => mixed,
            Form::Real | Form::Product => groups.len() as f64,
        };
        let mut loss = Loss { logprobs: vec![0.0; columns.tokens()], ..Loss::default() };
        if divisor > 0.0 {
            loss.value = total.value() / divisor;
            for (row, range) in columns.ranges().enumerate().filter(|(row, _)| lengths[*row] > 0.0) {
                for t in range.filter(|&t| columns.mask[t]) {
                    loss.logprobs[t] = by_score[row] / (divisor * lengths[row]);
                }
            }
        }
        loss.parts.insert("policy_loss".into(), loss.value);
        if trained > 0.0 {
            loss.parts.insert("mean_kl".into(), kl.value() / trained);
        }
        Ok(loss)
    }
}

/// `log(sum exp(x))`, without overflow; minus infinity of nothing.
pub fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = values.clone().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    largest + exact(values.map(|x| (x - largest).exp())).ln()
}

/// `log(1 + exp(x))`, without overflow.
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// `1 / (1 + exp(-x))`.
pub fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}
